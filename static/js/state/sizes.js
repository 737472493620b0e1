/** @import { Member } from './roster.js' */
/** @import { Settings } from './settings.js' */
import { isRecorder } from './roster.js';
import { Store } from './store.js';

/** How many people there are before a camera is sent in several sizes. */
const MANY = 3;
/** Milliseconds for which fewer must be there before the other sizes end. */
const LINGER = 10_000;

/**
 * Whether one's camera is sent in several sizes: as the settings say, or else while there
 * are so many people that some may look at a small picture.
 */
export class Sizes {
  store = new Store({ several: false });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} options
   * @param {Store<{ members: ReadonlyMap<string, Member> }>} options.roster
   * @param {Store<Settings>} options.settings
   * @param {AbortSignal} signal ends it
   */
  constructor({ roster, settings }, signal) {
    const decide = () => {
      clearTimeout(this.#timer);
      const { simulcast } = settings.value;
      if (simulcast !== 'auto') {
        this.store.update({ several: simulcast === 'on' });
        return;
      }
      const people = [...roster.value.members.values()].filter(m => !isRecorder(m));
      if (people.length >= MANY) this.store.update({ several: true });
      else this.#timer = setTimeout(() => this.store.update({ several: false }), LINGER);
    };
    roster.watch(s => s.members, decide, signal);
    settings.watch(s => s.simulcast, decide, signal);
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }
}
