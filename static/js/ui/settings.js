/** @import { Settings } from '../state/settings.js' */
/** @import { Words } from '../i18n/words.js' */
/** @import { Store } from '../state/store.js' */
/** @import { View } from './view.js' */
import { LANGUAGES } from '../i18n/words.js';
import { el, on } from './dom.js';
import { openDialog } from './dialog.js';

/** @typedef {{ value: string, label: string }} Option */

/**
 * Opens the settings.
 *
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function openSettings(view, signal) {
  const { words } = view;
  openDialog({
    title: words.t('settings'),
    close: words.t('close'),
    signal,
    draw: (_, life) => [
      devicesOf(view, life),
      section(words.t('settings.receive'), [
        receiveOf(view, life),
        ...simulcastOf(view, life),
      ]),
      appearance(view, life),
    ],
  });
}

/**
 * Opens the settings of a page without a meeting.
 *
 * @param {{ words: Words, settings: Store<Settings> }} view
 * @param {AbortSignal} signal
 */
export function openAppearance(view, signal) {
  const { words } = view;
  openDialog({
    title: words.t('settings'),
    close: words.t('close'),
    signal,
    draw: (_, life) => [appearance(view, life)],
  });
}

/**
 * @param {string} title
 * @param {HTMLElement[]} lines
 */
function section(title, lines) {
  return el('fieldset', { class: 'section' }, el('legend', {}, title), ...lines);
}

/**
 * @param {string} id
 * @param {string} label
 */
function line(id, label) {
  const select = el('select', { class: 'field', id });
  const element = el('div', { class: 'line' }, el('label', { for: id }, label), select);
  return { element, select };
}

/**
 * @param {HTMLSelectElement} select
 * @param {Option[]} options
 * @param {string} chosen
 */
function fill(select, options, chosen) {
  select.replaceChildren(
    ...options.map(o =>
      el('option', { value: o.value, selected: o.value === chosen }, o.label),
    ),
  );
  select.disabled = options.length === 0;
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 */
function devicesOf({ words, local, settings }, signal) {
  const kinds = /** @type {const} */ ([
    ['camera', 'cameras'],
    ['microphone', 'microphones'],
    ['speaker', 'speakers'],
  ]);
  const lines = kinds.map(([name, plural]) => {
    const { element, select } = line(`setting-${name}`, words.t(name));
    const draw = () => {
      const list = local.store.value.devices[plural];
      const options = list.map((d, i) => ({
        value: d.id,
        label: d.label || `${words.t(name)} ${words.number(i + 1)}`,
      }));
      fill(select, options, settings.value[name]);
      element.hidden = name === 'speaker' && list.length === 0;
    };
    local.store.watch(s => s.devices, draw, signal);
    on(
      select,
      'change',
      () => {
        if (name === 'speaker') settings.update({ speaker: select.value });
        else void local.choose(name, select.value);
      },
      signal,
    );
    return element;
  });
  return section(words.t('settings.devices'), lines);
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 */
function receiveOf({ words, settings }, signal) {
  const { element, select } = line('setting-receive', words.t('settings.receive.label'));
  const values = /** @type {const} */ (['everything', 'low', 'share', 'audio']);
  const options = values.map(value => ({ value, label: words.t(`receive.${value}`) }));
  fill(select, options, settings.value.receive);
  on(
    select,
    'change',
    () => {
      const receive = values.find(value => value === select.value);
      if (receive) settings.update({ receive });
    },
    signal,
  );
  return element;
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 */
function simulcastOf({ words, settings }, signal) {
  const { element, select } = line('setting-simulcast', words.t('settings.simulcast'));
  const hint = el(
    'p',
    { class: 'field-hint', id: 'setting-simulcast-hint' },
    words.t('settings.simulcast.hint'),
  );
  select.setAttribute('aria-describedby', hint.id);
  const values = /** @type {const} */ (['auto', 'on', 'off']);
  const options = values.map(value => ({ value, label: words.t(`simulcast.${value}`) }));
  fill(select, options, settings.value.simulcast);
  on(
    select,
    'change',
    () => {
      const simulcast = values.find(value => value === select.value);
      if (simulcast) settings.update({ simulcast });
    },
    signal,
  );
  return [element, hint];
}

/**
 * @param {{ words: Words, settings: Store<Settings> }} view
 * @param {AbortSignal} signal
 */
function appearance({ words, settings }, signal) {
  const language = line('setting-language', words.t('settings.language'));
  const languages = Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }));
  fill(language.select, languages, words.language);
  on(
    language.select,
    'change',
    () => settings.update({ language: language.select.value }),
    signal,
  );

  const theme = line('setting-theme', words.t('settings.theme'));
  const themes = /** @type {const} */ (['auto', 'light', 'dark']);
  const options = themes.map(value => ({ value, label: words.t(`theme.${value}`) }));
  fill(theme.select, options, settings.value.theme);
  on(
    theme.select,
    'change',
    () => {
      const chosen = themes.find(value => value === theme.select.value);
      if (chosen) settings.update({ theme: chosen });
    },
    signal,
  );

  const shortcuts = el('input', { type: 'checkbox', id: 'setting-shortcuts' });
  shortcuts.checked = settings.value.shortcuts;
  on(
    shortcuts,
    'change',
    () => settings.update({ shortcuts: shortcuts.checked }),
    signal,
  );
  const label = el('label', { for: shortcuts.id }, words.t('settings.shortcuts'));
  return section(words.t('settings.appearance'), [
    language.element,
    theme.element,
    el('div', { class: 'check-line' }, shortcuts, label),
  ]);
}
