/** @import { View } from './view.js' */
import { el } from './dom.js';

/** How long a text stays to be read, in milliseconds. */
const STAY = 6000;

/**
 * Says what happens to those who do not see it: people coming and going, messages,
 * notices. Regions must be in the page before their text, so there are two at all times.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountAnnouncer(root, { words, notices, chat }, signal) {
  const polite = el('div', { class: 'visually-hidden', role: 'status' });
  const urgent = el('div', { class: 'visually-hidden', role: 'alert' });
  root.append(polite, urgent);
  /**
   * @param {HTMLElement} region
   * @param {string} text
   */
  const say = (region, text) => {
    const line = el('p', {}, text);
    region.append(line);
    setTimeout(() => line.remove(), STAY);
  };
  let lastNotice = notices.store.value.list.at(-1)?.id ?? 0;
  notices.store.watch(
    s => s.list.at(-1),
    notice => {
      if (!notice || notice.id <= lastNotice) return;
      lastNotice = notice.id;
      const region = notice.kind === 'info' ? polite : urgent;
      say(region, words.t(notice.key, notice.params));
    },
    signal,
  );
  const before = chat.store.value.latest;
  chat.store.watch(
    s => s.latest,
    entry => {
      if (!entry || entry === before) return;
      const key = entry.direction ? 'chat.announce.private' : 'chat.announce';
      say(polite, words.t(key, { name: entry.username, text: entry.text }));
    },
    signal,
  );
}
