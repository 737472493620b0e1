/** @import { Key } from '../i18n/words.js' */
/** @import { SourceName } from '../state/local-media.js' */
/** @import { MenuGroup } from './menu.js' */
/** @import { View } from './view.js' */
import { button, el, icon, iconButton, on, setAttribute, setIcon } from './dom.js';
import { menuButton } from './menu.js';

/** @typedef {Pick<View, 'words' | 'local' | 'settings'>} Part */

/** @type {Record<SourceName, { on: string, off: string, stop: Key, start: Key, menu: Key }>} */
const looks = {
  microphone: {
    on: 'mic',
    off: 'mic-off',
    stop: 'microphone.mute',
    start: 'microphone.unmute',
    menu: 'microphone.menu',
  },
  camera: {
    on: 'video',
    off: 'video-off',
    stop: 'camera.stop',
    start: 'camera.start',
    menu: 'camera.menu',
  },
};

/**
 * Switches a source over.
 *
 * @param {Part['local']} local
 * @param {SourceName} name
 */
export function toggle(local, name) {
  const wanted = !local.store.value[name].on;
  void (name === 'camera' ? local.setCamera(wanted) : local.setMicrophone(wanted));
}

/**
 * The button of the microphone or the camera, with the menu of its devices.
 *
 * @param {HTMLElement} root
 * @param {Part} view
 * @param {SourceName} name
 * @param {AbortSignal} signal
 * @returns {HTMLButtonElement} the button itself
 */
export function mountSource(root, view, name, signal) {
  const { words, local } = view;
  const look = looks[name];
  const picture = icon(look.on);
  const text = el('span', { class: 'bar-text' });
  const main = el('button', { type: 'button', class: 'bar-button' }, picture, text);
  const devices = iconButton(words.t(look.menu), 'chevron-up', {
    class: 'icon-button chevron',
  });
  root.append(el('div', { class: 'split' }, main, devices));
  on(main, 'click', () => toggle(local, name), signal);
  const menu = () => ({ label: words.t(look.menu), groups: deviceGroups(view, name) });
  menuButton(devices, menu, signal);
  local.store.watch(
    s => s[name],
    source => {
      const label = words.t(source.on ? look.stop : look.start);
      setIcon(picture, source.on ? look.on : look.off);
      text.textContent = label;
      main.title = source.problem ? words.t(`${name}.problem.${source.problem}`) : label;
      main.setAttribute('aria-pressed', String(source.on));
      setAttribute(main, 'aria-busy', source.opening ? 'true' : undefined);
      main.classList.toggle('is-off', !source.on);
      main.classList.toggle('has-problem', source.problem !== null);
    },
    signal,
  );
  return main;
}

/**
 * @param {Part} view
 * @param {SourceName} name
 * @returns {MenuGroup[]}
 */
function deviceGroups({ words, local, settings }, name) {
  const { devices } = local.store.value;
  const { camera, microphone, speaker } = settings.value;
  if (name === 'camera') {
    return [
      choices(words.t('camera'), devices.cameras, camera, id => {
        void local.choose('camera', id);
      }),
    ];
  }
  const speakers = choices(words.t('speaker'), devices.speakers, speaker, id =>
    settings.update({ speaker: id }),
  );
  return [
    choices(words.t('microphone'), devices.microphones, microphone, id => {
      void local.choose('microphone', id);
    }),
    ...(devices.speakers.length > 0 ? [speakers] : []),
  ];

  /**
   * @param {string} label
   * @param {{ id: string, label: string }[]} list
   * @param {string} chosen
   * @param {(id: string) => void} act
   * @returns {MenuGroup}
   */
  function choices(label, list, chosen, act) {
    const known = list.some(d => d.id === chosen) ? chosen : (list[0]?.id ?? '');
    const items = list.map((d, i) => ({
      label: d.label || `${label} ${words.number(i + 1)}`,
      checked: d.id === known,
      act: () => act(d.id),
    }));
    const none = { label: words.t('device.none'), disabled: true };
    return { label, items: items.length > 0 ? items : [none] };
  }
}

/**
 * Says in words why a device is not there, and offers to try again.
 *
 * @param {HTMLElement} root
 * @param {Part} view
 * @param {AbortSignal} signal
 */
export function mountProblems(root, { words, local }, signal) {
  const area = el('div', { class: 'problems', role: 'status' });
  root.append(area);
  for (const name of /** @type {const} */ (['camera', 'microphone'])) {
    const text = el('p', {});
    const retry = button(words.t('retry'), { class: 'button small' });
    const label = words.t(`${name}.retry`);
    retry.setAttribute('aria-label', label);
    const line = el('div', { class: 'problem' }, icon('triangle-alert'), text, retry);
    on(
      retry,
      'click',
      () => {
        void (name === 'camera' ? local.setCamera(true) : local.setMicrophone(true));
      },
      signal,
    );
    local.store.watch(
      s => s[name].problem,
      problem => {
        if (!problem) {
          line.remove();
          return;
        }
        text.textContent = words.t(`${name}.problem.${problem}`);
        area.append(line);
      },
      signal,
    );
  }
}

/**
 * Says in a notice what goes wrong with a device from now on. What went wrong before is
 * known: the meeting was joined with it.
 *
 * @param {Pick<View, 'local' | 'notices'>} view
 * @param {AbortSignal} signal
 */
export function tellProblems({ local, notices }, signal) {
  for (const name of /** @type {const} */ (['camera', 'microphone'])) {
    let last = local.store.value[name].problem;
    local.store.watch(
      s => s[name].problem,
      problem => {
        const fresh = problem !== last;
        last = problem;
        // The loss of a device has a notice of its own.
        if (!fresh || !problem || problem === 'lost') return;
        notices.add('error', `${name}.problem.${problem}`);
      },
      signal,
    );
  }
}
