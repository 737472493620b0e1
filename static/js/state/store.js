/**
 * A value that can be watched. Updates are shallow: a changed part is a new object, so
 * that watchers tell by identity whether it concerns them.
 *
 * @template {object} T
 */
export class Store {
  #value;
  /** @type {Set<(value: T) => void>} */
  #listeners = new Set();

  /** @param {T} value */
  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  /** @param {Partial<T>} patch */
  update(patch) {
    const value = this.#value;
    const changed = Object.entries(patch).some(
      ([key, part]) => !Object.is(part, value[/** @type {keyof T} */ (key)]),
    );
    if (!changed) return;
    this.#value = { ...value, ...patch };
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listener(this.#value);
    }
  }

  /**
   * Calls draw with what select picks, now and each time that it is another value, until
   * the signal is aborted.
   *
   * @template P
   * @param {(value: T) => P} select
   * @param {(part: P) => void} draw
   * @param {AbortSignal} signal
   */
  watch(select, draw, signal) {
    if (signal.aborted) return;
    let last = select(this.#value);
    /** @param {T} value */
    const listener = value => {
      const part = select(value);
      if (Object.is(part, last)) return;
      last = part;
      draw(part);
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), {
      once: true,
    });
    draw(last);
  }
}
