/** @import { ClientMessage, RequestMap, Wanted } from '../protocol/messages.js' */
/** @import { RemoteStream } from './subscriber.js' */
/** @import { Store } from './store.js' */

/** Milliseconds that the stage must have been still before anything is asked for. */
const SETTLE = 200;
/** Milliseconds for which a picture must be out of sight before it is not sent any more. */
const FORGET = 3000;
/** Square pixels up to which a small picture does, and from which a large one is needed. */
const SMALL = 320 * 240;
const LARGE = 1.25 * SMALL;

/** @typedef {'none' | 'small' | 'large'} Sight how much of a picture is seen */

/**
 * @param {Sight} before
 * @param {number | undefined} area in square pixels; none if the picture is not on the stage
 * @returns {Sight}
 */
function sightOf(before, area) {
  if (!area) return 'none';
  if (area <= SMALL) return 'small';
  return area < LARGE && before === 'small' ? 'small' : 'large';
}

/**
 * What to ask for instead of what one gets anyway.
 *
 * @param {Sight} sight
 * @param {readonly Wanted[]} usual
 * @returns {Wanted[] | null} null if the usual is right
 */
function instead(sight, usual) {
  if (sight === 'none' && usual.some(w => w !== 'audio')) return ['audio'];
  if (sight === 'small' && usual.includes('video')) return ['audio', 'video-low'];
  return null;
}

/**
 * Receives what is looked at: small pictures for small tiles, none of people who are not on
 * the stage. Sound is never cut.
 */
export class Attention {
  #streams;
  #send;
  #request;
  /** @type {ReadonlyMap<string, number>} */
  #areas = new Map();
  /** @type {Map<string, { sight: Sight, asked: string, unseen: number }>} */
  #known = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #now;

  /**
   * @param {object} options
   * @param {Store<{ streams: ReadonlyMap<string, RemoteStream> }>} options.streams
   * @param {(message: ClientMessage) => void} options.send
   * @param {() => RequestMap} options.request what one gets by label
   * @param {() => number} [options.now] milliseconds, monotonic
   * @param {AbortSignal} signal ends it
   */
  constructor({ streams, send, request, now = () => performance.now() }, signal) {
    this.#streams = streams;
    this.#send = send;
    this.#request = request;
    this.#now = now;
    streams.watch(
      s => s.streams,
      all => {
        for (const id of this.#known.keys()) if (!all.has(id)) this.#known.delete(id);
        this.#later(SETTLE);
      },
      signal,
    );
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /**
   * Says what is on the stage.
   *
   * @param {ReadonlyMap<string, number>} areas in square pixels, by stream id; what is to
   *   be as large as can be has an infinite one
   */
  look(areas) {
    this.#areas = areas;
    this.#later(SETTLE);
  }

  /** Says that what one gets by label is something else now. */
  reconsider() {
    this.#later(SETTLE);
  }

  /** @param {number} delay milliseconds */
  #later(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#decide(), delay);
  }

  #decide() {
    const now = this.#now();
    let again = Infinity;
    for (const stream of this.#streams.value.streams.values()) {
      if (stream.health === 'connecting' || !stream.pictured) continue;
      const known = this.#known.get(stream.id) ?? {
        sight: /** @type {Sight} */ ('large'),
        asked: 'null',
        unseen: 0,
      };
      this.#known.set(stream.id, known);
      const sight = sightOf(known.sight, this.#areas.get(stream.id));
      if (sight === 'none') {
        known.unseen ||= now;
        const rest = known.unseen + FORGET - now;
        if (rest > 0) again = Math.min(again, rest);
        else known.sight = sight;
      } else {
        known.unseen = 0;
        known.sight = sight;
      }
      this.#ask(stream, known);
    }
    if (again < Infinity) this.#later(Math.max(again, SETTLE));
  }

  /**
   * @param {RemoteStream} stream
   * @param {{ sight: Sight, asked: string }} known
   */
  #ask({ id, label }, known) {
    const map = this.#request();
    const usual = map[label] ?? map[''] ?? [];
    const request = instead(known.sight, usual);
    const asked = JSON.stringify(request);
    if (asked === known.asked) return;
    known.asked = asked;
    this.#send({ type: 'requestStream', id, request });
  }
}
