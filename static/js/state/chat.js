/** @import { ChatFields } from '../protocol/messages.js' */
import { Store } from './store.js';
import { clean } from './text.js';

/** How many messages the page keeps. */
export const LIMIT = 1000;

/**
 * @typedef {object} ChatEntry
 * @property {string} id
 * @property {string} source client id of the author; '' for the server
 * @property {string} username cleaned
 * @property {boolean} own
 * @property {'' | 'to' | 'from'} direction whether it is private, and which way
 * @property {string} peer who else sees a private message: client id
 * @property {string} peerName
 * @property {boolean} action `/me`: the text tells what the author does
 * @property {number} time milliseconds since 1970
 * @property {string} text cleaned
 */

/**
 * @typedef {object} ChatState
 * @property {readonly ChatEntry[]} entries
 * @property {number} unread
 * @property {boolean} open whether the conversation is being looked at
 * @property {ChatEntry | null} latest what somebody else said last, since one came
 */

/** The conversation, oldest first, each message once. */
export class Chat {
  store = new Store(
    /** @type {ChatState} */ ({ entries: [], unread: 0, open: false, latest: null }),
  );
  /** Own client ids, those of earlier connections too. */
  #selves = new Set();
  #serial = 0;

  /** @param {string} id an own client id */
  addSelf(id) {
    this.#selves.add(id);
  }

  /** @param {boolean} open whether the conversation is being looked at */
  setOpen(open) {
    this.store.update({ open, unread: open ? 0 : this.store.value.unread });
  }

  /**
   * @param {ChatFields} message
   * @param {boolean} history whether it was said before one came
   */
  receive(message, history) {
    if (message.kind === 'caption') return;
    const text = clean(message.value);
    if (text === '') return;
    const source = message.source ?? '';
    const own = this.#selves.has(source);
    const username = clean(message.username);
    this.#insert(
      {
        id: message.id || this.#newID(),
        source,
        username,
        own,
        direction: message.dest ? 'from' : '',
        peer: message.dest ? source : '',
        peerName: message.dest ? username : '',
        action: message.kind === 'me',
        time: Date.parse(message.time ?? '') || Date.now(),
        text,
      },
      history,
    );
  }

  /**
   * Records a private message that was sent; the server does not echo those.
   *
   * @param {{ source: string, username: string, peer: string, peerName: string, text: string, action: boolean }} sent
   */
  addPrivate(sent) {
    this.#insert(
      { ...sent, id: this.#newID(), own: true, direction: 'to', time: Date.now() },
      false,
    );
  }

  /**
   * Removes messages: all, one author's, or a single one.
   *
   * @param {unknown} value as `clearchat` carries it
   */
  clear(value) {
    const { id, userId } = /** @type {{ id?: string, userId?: string }} */ (value ?? {});
    const { entries } = this.store.value;
    const rest = userId
      ? entries.filter(e => e.source !== userId || (id && e.id !== id))
      : [];
    this.store.update({ entries: rest, unread: userId ? this.store.value.unread : 0 });
  }

  #newID() {
    return `local-${this.#serial++}`;
  }

  /**
   * @param {ChatEntry} entry
   * @param {boolean} history
   */
  #insert(entry, history) {
    const { entries, unread, open, latest } = this.store.value;
    if (entries.some(e => e.id === entry.id)) return;
    const fresh = !history && !entry.own;
    this.store.update({
      entries: place(entries, entry, history).slice(-LIMIT),
      unread: fresh && !open ? unread + 1 : unread,
      latest: fresh ? entry : latest,
    });
  }
}

/**
 * History comes oldest first but may arrive after newer words; those said now go last.
 *
 * @param {readonly ChatEntry[]} entries
 * @param {ChatEntry} entry
 * @param {boolean} history
 * @returns {ChatEntry[]}
 */
function place(entries, entry, history) {
  if (!history) return [...entries, entry];
  let at = entries.length;
  while (at > 0 && (entries[at - 1]?.time ?? 0) > entry.time) at--;
  return [...entries.slice(0, at), entry, ...entries.slice(at)];
}
