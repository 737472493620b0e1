/** @import { ClientMessage, OfferMessage } from '../protocol/messages.js' */
import { DownStream } from '../media/down.js';
import { Store } from './store.js';
import { clean } from './text.js';

/** Milliseconds for which a stream that was replaced stays if the new one is not there. */
const OVERLAP = 4000;

/**
 * A stream that is received, as it is drawn.
 *
 * @typedef {object} RemoteStream
 * @property {string} id
 * @property {string} source client id of the sender
 * @property {string} username cleaned
 * @property {string} label
 * @property {MediaStreamTrack | null} audio
 * @property {MediaStreamTrack | null} video
 * @property {boolean} pictured whether it has had a picture, be it not sent at present
 * @property {'connecting' | 'good' | 'broken'} health
 */

/** @type {Partial<Record<RTCPeerConnectionState, RemoteStream['health']>>} */
const healths = { connected: 'good', disconnected: 'broken', failed: 'broken' };

/** The streams that are received, by id, in the order in which they came. */
export class Subscriber {
  store = new Store({
    streams: /** @type {ReadonlyMap<string, RemoteStream>} */ (new Map()),
  });
  #send;
  #configuration;
  /** @type {Map<string, DownStream>} */
  #downs = new Map();
  /** What takes whose place: ids of old streams by the id of the new one. */
  #replaced = new Map();

  /**
   * @param {(message: ClientMessage) => void} send
   * @param {() => RTCConfiguration} configuration
   */
  constructor(send, configuration) {
    this.#send = send;
    this.#configuration = configuration;
  }

  /** @param {OfferMessage} message */
  offer(message) {
    const { id } = message;
    let down = this.#downs.get(id);
    if (!down) {
      down = this.#open(id);
      this.#downs.set(id, down);
      this.#put({
        id,
        source: message.source ?? '',
        username: clean(message.username),
        label: message.label ?? '',
        audio: null,
        video: null,
        pictured: false,
        health: 'connecting',
      });
    }
    if (message.replace && this.#downs.has(message.replace)) {
      const old = message.replace;
      this.#replaced.set(id, old);
      setTimeout(() => this.#retire(id, old), OVERLAP);
    }
    down.offer(message.sdp);
  }

  /**
   * @param {string} id
   * @param {RTCIceCandidateInit} candidate
   */
  ice(id, candidate) {
    this.#downs.get(id)?.ice(candidate);
  }

  /** @param {string} id of a stream that need not be known */
  close(id) {
    const down = this.#downs.get(id);
    if (!down) return;
    down.close();
    this.#downs.delete(id);
    const streams = new Map(this.store.value.streams);
    streams.delete(id);
    this.store.update({ streams });
  }

  /** Closes all streams. */
  reset() {
    for (const down of this.#downs.values()) down.close();
    this.#downs.clear();
    this.#replaced.clear();
    this.store.update({ streams: new Map() });
  }

  /**
   * How loud each of them is.
   *
   * @returns {Promise<Map<string, number>>} from 0 to 1, by stream id
   */
  async levels() {
    const levels = [...this.#downs.values()]
      .filter(down => down.track('audio'))
      .map(async down => /** @type {const} */ ([down.id, await down.level()]));
    return new Map(await Promise.all(levels));
  }

  /** @param {string} id */
  #open(id) {
    const down = new DownStream({
      id,
      configuration: this.#configuration(),
      signals: {
        answer: sdp => this.#send({ type: 'answer', id, sdp }),
        ice: candidate => this.#send({ type: 'ice', id, candidate }),
        renegotiate: () => this.#send({ type: 'renegotiate', id }),
        broken: () => {
          this.#send({ type: 'abort', id });
          this.close(id);
        },
        change: () => this.#refresh(down),
      },
    });
    return down;
  }

  /** @param {DownStream} down */
  #refresh(down) {
    const before = this.store.value.streams.get(down.id);
    if (!before || this.#downs.get(down.id) !== down) return;
    const video = down.track('video');
    this.#put({
      ...before,
      audio: down.track('audio'),
      video,
      pictured: before.pictured || video !== null,
      health: healths[down.state] ?? before.health,
    });
    // Without a picture there is nothing to wait for.
    const old = this.#replaced.get(down.id);
    if (old && (down.state === 'connected' || !video)) this.#retire(down.id, old);
  }

  /**
   * @param {string} id
   * @param {string} old
   */
  #retire(id, old) {
    if (this.#replaced.get(id) !== old) return;
    this.#replaced.delete(id);
    this.close(old);
  }

  /** @param {RemoteStream} stream */
  #put(stream) {
    const streams = new Map(this.store.value.streams);
    streams.set(stream.id, stream);
    this.store.update({ streams });
  }
}
