/** @import { Key, Params } from '../i18n/words.js' */
import { Store } from './store.js';

/** How many notices the list keeps. */
export const LIMIT = 50;

/**
 * Something that happened, in words that are chosen when it is drawn.
 *
 * @typedef {object} Notice
 * @property {number} id
 * @property {'info' | 'warning' | 'error'} kind
 * @property {Key} key
 * @property {Params} params
 * @property {number} time milliseconds since 1970
 * @property {boolean} shown whether it is still on the screen
 * @property {boolean} quiet for the list and the screen reader only
 */

/** What happened, newest last. */
export class Notices {
  /** @type {Store<{ list: Notice[] }>} */
  store = new Store({ list: /** @type {Notice[]} */ ([]) });
  #next = 1;

  /**
   * @param {Notice['kind']} kind
   * @param {Key} key
   * @param {Params} [params]
   * @param {{ quiet?: boolean }} [options]
   */
  add(kind, key, params = {}, { quiet = false } = {}) {
    /** @type {Notice} */
    const notice = {
      id: this.#next++,
      kind,
      key,
      params,
      time: Date.now(),
      shown: !quiet,
      quiet,
    };
    const { list } = this.store.value;
    const text = JSON.stringify(params);
    const rest = list.map(n =>
      n.shown && n.key === key && JSON.stringify(n.params) === text
        ? { ...n, shown: false }
        : n,
    );
    this.store.update({ list: [...rest, notice].slice(-LIMIT) });
  }

  /** @param {number} id */
  dismiss(id) {
    const { list } = this.store.value;
    this.store.update({
      list: list.map(n => (n.id === id ? { ...n, shown: false } : n)),
    });
  }
}
