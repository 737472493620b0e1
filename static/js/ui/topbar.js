/** @import { View } from './view.js' */
import { isRecorder } from '../state/roster.js';
import { clean } from '../state/text.js';
import { el, icon, nameOf } from './dom.js';

/**
 * What the meeting is called, how long it has lasted, whether it is locked or recorded.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountTopBar(root, { words, session, roster, chat, group }, signal) {
  const title = el('h1', {});
  const locked = el('span', { class: 'badge' }, icon('lock'), words.t('locked'));
  const recording = el(
    'span',
    { class: 'badge recording' },
    icon('circle-dot'),
    words.t('recording'),
  );
  const time = el('time', { class: 'quiet' });
  root.append(el('header', { class: 'top-bar' }, title, recording, locked, time));
  /** The window's title tells of what is unread, for those who look elsewhere. */
  const entitle = () => {
    const name = clean(session.store.value.status.displayName) || group;
    const { unread } = chat.store.value;
    document.title = `${unread ? `(${words.number(unread)}) ` : ''}${name} – Galène`;
  };
  chat.store.watch(s => s.unread, entitle, signal);
  session.store.watch(
    s => clean(s.status.displayName) || group,
    name => {
      title.replaceChildren(nameOf(name));
      entitle();
    },
    signal,
  );
  session.store.watch(
    s => s.status.locked === true,
    is => {
      locked.hidden = !is;
    },
    signal,
  );
  roster.store.watch(
    s => [...s.members.values()].some(isRecorder),
    is => {
      recording.hidden = !is;
    },
    signal,
  );
  const tick = () => {
    const seconds = Math.max(
      0,
      Math.floor((Date.now() - session.store.value.since) / 1000),
    );
    const parts = [
      Math.floor(seconds / 3600),
      Math.floor(seconds / 60) % 60,
      seconds % 60,
    ];
    if (parts[0] === 0) parts.shift();
    time.textContent = parts
      .map((n, i) => (i === 0 ? String(n) : String(n).padStart(2, '0')))
      .join(':');
    time.dateTime = `PT${seconds}S`;
  };
  tick();
  const timer = setInterval(tick, 1000);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
