/** @import { GroupStatus } from '../protocol/messages.js' */
/** @import { Settings } from '../state/settings.js' */
/** @import { Store } from '../state/store.js' */
/** @import { Words } from '../i18n/words.js' */
import { fetchPublicGroups, pathOf, webURL } from '../state/status.js';
import { clean } from '../state/text.js';
import { button, el, icon, iconButton, nameOf, on } from './dom.js';
import { field } from './field.js';
import { openAppearance } from './settings.js';

/** @typedef {{ words: Words, settings: Store<Settings> }} LandingView */

/** Milliseconds between two looks at the list of groups. */
const EVERY = 15000;

/**
 * The front page.
 *
 * @param {HTMLElement} root
 * @param {LandingView} view
 * @param {AbortSignal} signal
 */
export function mountLanding(root, view, signal) {
  const { words } = view;
  document.title = words.t('landing.title');
  const settings = iconButton(words.t('settings'), 'settings');
  on(settings, 'click', () => openAppearance(view, signal), signal);
  const brand = el('span', { class: 'brand' }, icon('audio-lines'), 'Galène');
  const hero = el(
    'section',
    { class: 'hero' },
    el('h1', {}, words.t('landing.heading')),
    el('p', { class: 'lead' }, words.t('landing.lead')),
  );
  const groups = el('section', { class: 'groups', 'aria-labelledby': 'groups-title' });
  root.append(
    el('header', { class: 'page-head' }, brand, settings),
    el('main', { class: 'landing' }, hero, groups),
  );
  mountForm(hero, view, signal);
  mountGroups(groups, view, signal);
}

/**
 * @param {HTMLElement} root
 * @param {LandingView} view
 * @param {AbortSignal} signal
 */
function mountForm(root, { words }, signal) {
  const group = field('group', words.t('landing.group'), 'text', 'off');
  group.input.setAttribute('autocapitalize', 'none');
  group.input.setAttribute('spellcheck', 'false');
  const submit = button(words.t('landing.enter'), {
    class: 'button primary',
    type: 'submit',
  });
  group.box.append(submit);
  const form = el('form', { class: 'enter', novalidate: true }, group.line);
  root.append(form);
  on(group.input, 'input', () => group.fail(''), signal);
  on(
    form,
    'submit',
    async e => {
      e.preventDefault();
      const name = group.input.value.trim().replace(/^\/+|\/+$/gu, '');
      const problem = name ? await check(name) : 'landing.empty';
      if (problem) group.fail(words.t(problem));
      else location.href = pathOf(name);
    },
    signal,
  );
}

/**
 * Looks whether there is such a group, so that the error stands where it can be mended.
 *
 * @param {string} name
 * @returns {Promise<'landing.missing' | 'landing.unreachable' | null>}
 */
async function check(name) {
  const illegal = name.split('/').some(part => part === '' || part.startsWith('.'));
  if (illegal || name.includes('\\')) return 'landing.missing';
  try {
    const response = await fetch(`${pathOf(name)}.status`, { cache: 'no-cache' });
    return response.ok ? null : 'landing.missing';
  } catch {
    return 'landing.unreachable';
  }
}

/**
 * @param {HTMLElement} root
 * @param {LandingView} view
 * @param {AbortSignal} signal
 */
function mountGroups(root, { words }, signal) {
  const title = el('h2', { id: 'groups-title' }, words.t('landing.groups'));
  const note = el('p', { class: 'quiet', role: 'status' }, words.t('loading'));
  const list = el('ul', { class: 'cards' });
  root.append(title, note, list);
  let drawn = '';
  const refresh = async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      const groups = await fetchPublicGroups(signal);
      note.textContent = groups.length > 0 ? '' : words.t('landing.none');
      const now = JSON.stringify(groups);
      // Redrawing would take the focus from a card; most looks find nothing new.
      if (now === drawn) return;
      drawn = now;
      const focused = document.activeElement?.getAttribute('href');
      list.replaceChildren(...groups.map(group => drawCard(words, group)));
      const links = [...list.querySelectorAll('a')];
      if (focused) links.find(a => a.getAttribute('href') === focused)?.focus();
    } catch {
      if (!signal.aborted) note.textContent = words.t('landing.unreachable');
    }
  };
  void refresh();
  const timer = setInterval(refresh, EVERY);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  document.addEventListener('visibilitychange', refresh, { signal });
}

/**
 * @param {Words} words
 * @param {GroupStatus} group
 */
function drawCard(words, group) {
  const name = group.name ?? '';
  const elsewhere = webURL(group.redirect ?? group.location, location.href);
  const foreign = elsewhere !== null && elsewhere.host !== location.host;
  const href = foreign ? elsewhere.href : pathOf(name);
  const facts = el('p', { class: 'facts' });
  if (group.clientCount !== undefined) {
    const text = words.t('door.inside', { count: group.clientCount });
    facts.append(el('span', {}, icon('users'), text));
  }
  if (group.locked) facts.append(el('span', {}, icon('lock'), words.t('locked')));
  if (foreign) {
    const text = words.t('landing.elsewhere', { host: elsewhere.host });
    facts.append(el('span', {}, icon('external-link'), text));
  }
  return el(
    'li',
    { class: 'card' },
    el('h3', {}, el('a', { href }, nameOf(clean(group.displayName) || name))),
    group.description ? el('p', { dir: 'auto' }, clean(group.description)) : null,
    facts,
  );
}
