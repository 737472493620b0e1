/** @import { Notice } from '../state/notices.js' */
/** @import { Keyed } from './dom.js' */
/** @import { View } from './view.js' */
import { el, icon, iconButton, on, reconcile, scope } from './dom.js';
import { openDialog } from './dialog.js';

/** Milliseconds for which a notice stays on the screen; all stay in the list. */
const STAY = { info: 6000, warning: 10000, error: 15000 };
/** How many are on the screen at once. */
const MOST = 3;
const pictures = { info: 'info', warning: 'triangle-alert', error: 'circle-alert' };

/**
 * Shows what happened, for a while.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountToasts(root, view, signal) {
  const list = el('ul', { class: 'toasts' });
  root.append(
    el('section', { class: 'toast-area', 'aria-label': view.words.t('notices') }, list),
  );
  /** @type {Map<string, Keyed<Notice>>} */
  const kept = new Map();
  view.notices.store.watch(
    s => s.list,
    notices => {
      reconcile({
        root: list,
        items: notices.filter(n => n.shown).slice(-MOST),
        key: n => String(n.id),
        kept,
        make: notice => makeToast(view, notice, signal),
      });
    },
    signal,
  );
}

/**
 * @param {View} view
 * @param {Notice} notice
 * @param {AbortSignal} outer
 * @returns {Keyed<Notice>}
 */
function makeToast({ words, notices }, notice, outer) {
  const { signal, end } = scope(outer);
  const dismiss = iconButton(words.t('dismiss'), 'x');
  const element = el(
    'li',
    { class: `toast ${notice.kind}` },
    icon(pictures[notice.kind]),
    el('p', { dir: 'auto' }, words.t(notice.key, notice.params)),
    dismiss,
  );
  const leave = () => notices.dismiss(notice.id);
  let timer = setTimeout(leave, STAY[notice.kind]);
  const hold = () => clearTimeout(timer);
  const release = () => {
    clearTimeout(timer);
    timer = setTimeout(leave, STAY[notice.kind]);
  };
  on(dismiss, 'click', leave, signal);
  on(element, 'pointerenter', hold, signal);
  on(element, 'focusin', hold, signal);
  on(element, 'pointerleave', release, signal);
  on(element, 'focusout', release, signal);
  signal.addEventListener('abort', hold, { once: true });
  return { element, draw: () => {}, remove: end };
}

/**
 * Opens the list of what has happened, newest first.
 *
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function openNotices({ words, notices }, signal) {
  openDialog({
    title: words.t('notices'),
    close: words.t('close'),
    signal,
    draw: () => {
      const { list } = notices.store.value;
      if (list.length === 0)
        return [el('p', { class: 'quiet' }, words.t('notices.none'))];
      const items = list.toReversed().map(notice => {
        const time = new Date(notice.time);
        return el(
          'li',
          { class: 'notice' },
          icon(pictures[notice.kind]),
          el('span', { dir: 'auto' }, words.t(notice.key, notice.params)),
          el('time', { datetime: time.toISOString() }, words.clock.format(time)),
        );
      });
      return [el('ul', { class: 'notices' }, ...items)];
    },
  });
}
