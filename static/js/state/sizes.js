/** @import { Member } from './roster.js' */
/** @import { Settings } from './settings.js' */
import { isRecorder } from './roster.js';
import { Store } from './store.js';

/** How many people there are before a camera is sent in several sizes. */
const MANY = 3;
/**
 * Milliseconds for which they must be there before the other sizes begin, or fewer before
 * these end: who comes in needs a first picture before the encoders begin anew.
 */
const WAIT = { begin: 3000, end: 10_000 };

/**
 * Whether one's camera is sent in several sizes: as the settings say, or else while there
 * are so many people that some may look at a small picture.
 */
export class Sizes {
  store = new Store({ several: false });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {boolean | undefined} */
  #goal; // what the timer leads to, or has led to

  /**
   * @param {object} options
   * @param {Store<{ members: ReadonlyMap<string, Member> }>} options.roster
   * @param {Store<Settings>} options.settings
   * @param {AbortSignal} signal ends it
   */
  constructor({ roster, settings }, signal) {
    const decide = () => {
      const { simulcast } = settings.value;
      if (simulcast !== 'auto') {
        clearTimeout(this.#timer);
        this.#goal = undefined;
        this.store.update({ several: simulcast === 'on' });
        return;
      }
      const people = [...roster.value.members.values()].filter(m => !isRecorder(m));
      const several = people.length >= MANY;
      if (several === this.#goal) return;
      this.#goal = several;
      clearTimeout(this.#timer);
      const wait = several ? WAIT.begin : WAIT.end;
      this.#timer = setTimeout(() => this.store.update({ several }), wait);
    };
    roster.watch(s => s.members, decide, signal);
    settings.watch(s => s.simulcast, decide, signal);
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }
}
