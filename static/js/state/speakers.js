/** @import { LocalMedia } from './local-media.js' */
/** @import { Subscriber } from './subscriber.js' */
import { meter } from '../media/level.js';
import { Store } from './store.js';

const EVERY = 250;
/** Loudness from which somebody is said to talk. */
const THRESHOLD = { remote: 0.02, own: 0.35 };
/** Milliseconds for which a pause still counts as talking. */
const HOLD = 900;

/** Key of oneself among those who talk. */
export const SELF = 'self';

/** Who is talking: stream ids, and {@link SELF}. */
export class Speakers {
  store = new Store({ talking: /** @type {ReadonlySet<string>} */ (new Set()) });
  /** When each was last heard. */
  #heard = new Map();
  #subscriber;
  /** @type {(() => number) | null} */
  #own = null;

  /**
   * @param {Subscriber} subscriber
   * @param {LocalMedia} local
   * @param {AbortSignal} signal ends the listening
   */
  constructor(subscriber, local, signal) {
    this.#subscriber = subscriber;
    let attached = new AbortController();
    local.store.watch(
      s => s.microphone.track,
      track => {
        attached.abort();
        attached = new AbortController();
        const both = AbortSignal.any([attached.signal, signal]);
        this.#own = track ? meter(track, both) : null;
      },
      signal,
    );
    const timer = setInterval(() => void this.#listen(), EVERY);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  async #listen() {
    const now = performance.now();
    if (this.#own && this.#own() >= THRESHOLD.own) this.#heard.set(SELF, now);
    for (const [id, level] of await this.#subscriber.levels()) {
      if (level >= THRESHOLD.remote) this.#heard.set(id, now);
    }
    for (const [id, at] of this.#heard) {
      if (now - at > HOLD) this.#heard.delete(id);
    }
    const talking = new Set(this.#heard.keys());
    const { size } = new Set([...talking, ...this.store.value.talking]);
    if (size !== talking.size || size !== this.store.value.talking.size) {
      this.store.update({ talking });
    }
  }
}
