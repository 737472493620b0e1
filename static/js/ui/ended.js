/** @import { View } from './view.js' */
import { HOME, button, el, icon, on } from './dom.js';
import { refusal } from './refusal.js';

/**
 * What one sees when the meeting is over.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {{ token: string }} invitation shown again by those who come back
 * @param {AbortSignal} signal
 */
export function mountEnded(root, view, { token }, signal) {
  const { words } = view;
  const again = button(words.t('ended.again'), { class: 'button primary' });
  const back = () => {
    if (token) location.search = `?token=${encodeURIComponent(token)}`;
    else location.reload();
  };
  on(again, 'click', back, signal);
  const title = el('h1', { tabindex: -1 }, titleOf(view));
  const { text = '' } = view.session.store.value.ending ?? {};
  const { failure } = view.session.store.value;
  const more = failure ? refusal(words, failure) : text;
  root.append(
    el(
      'main',
      { class: 'message-page' },
      icon('door-open'),
      title,
      more ? el('p', { dir: 'auto' }, more) : null,
      el(
        'div',
        { class: 'actions' },
        el('a', { class: 'button', href: HOME }, words.t('home')),
        again,
      ),
    ),
  );
  title.focus();
}

/** @param {View} view */
function titleOf({ words, session }) {
  const { ending } = session.store.value;
  switch (ending?.kind) {
    case 'kicked':
      return ending.by
        ? words.t('ended.kicked.by', { name: ending.by })
        : words.t('ended.kicked');
    case 'refused':
      return words.t('ended.refused');
    default:
      return words.t('ended.left');
  }
}
