/** @import { Key } from '../i18n/words.js' */
/** @import { View } from './view.js' */
import { el } from './dom.js';
import { toggleHand, togglePanel, toggleShare } from './deeds.js';
import { openDialog } from './dialog.js';
import { toggle } from './sources.js';

/** @typedef {{ key: string, label: Key, act: (view: View, signal: AbortSignal) => void }} Shortcut */

/** @type {Shortcut[]} */
const shortcuts = [
  {
    key: 'm',
    label: 'shortcut.microphone',
    act: view => toggleSource(view, 'microphone'),
  },
  { key: 'v', label: 'shortcut.camera', act: view => toggleSource(view, 'camera') },
  { key: 's', label: 'shortcut.share', act: toggleShare },
  { key: 'h', label: 'shortcut.hand', act: toggleHand },
  { key: 'c', label: 'chat', act: view => togglePanel(view, 'chat') },
  { key: 'p', label: 'people', act: view => togglePanel(view, 'people') },
  {
    key: 'Escape',
    label: 'shortcut.escape',
    act: view => view.look.update({ panel: null }),
  },
  { key: '?', label: 'shortcuts', act: (view, signal) => openShortcuts(view, signal) },
];

/**
 * @param {View} view
 * @param {'microphone' | 'camera'} name
 */
function toggleSource({ session, local }, name) {
  if (session.store.value.permissions.includes('present')) toggle(local, name);
}

/**
 * Listens to the keyboard, except while somebody types or has something else open.
 *
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountShortcuts(view, signal) {
  document.addEventListener(
    'keydown',
    e => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.defaultPrevented) return;
      const escape = e.key === 'Escape';
      if (!escape && (!view.settings.value.shortcuts || isTyping(e.target))) return;
      if (document.querySelector('dialog[open], [popover]:popover-open')) return;
      const key = escape ? e.key : e.key.toLowerCase();
      const shortcut = shortcuts.find(s => s.key === key);
      if (!shortcut) return;
      e.preventDefault();
      shortcut.act(view, signal);
    },
    { signal },
  );
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof Element && target.matches('input, textarea, select');
}

/**
 * Opens the list of shortcuts.
 *
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function openShortcuts({ words }, signal) {
  openDialog({
    title: words.t('shortcuts'),
    close: words.t('close'),
    className: 'dialog-small',
    signal,
    draw: () => {
      const lines = shortcuts.map(({ key, label }) => {
        const cap = key === 'Escape' ? words.t('key.escape') : key.toUpperCase();
        return el(
          'div',
          {},
          el('dt', {}, el('kbd', {}, cap)),
          el('dd', {}, words.t(label)),
        );
      });
      return [
        el('dl', { class: 'keys' }, ...lines),
        el('p', { class: 'quiet' }, words.t('shortcuts.off')),
      ];
    },
  });
}
