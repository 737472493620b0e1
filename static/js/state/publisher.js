/** @import { ClientMessage } from '../protocol/messages.js' */
/** @import { LocalState } from './local-media.js' */
/** @import { Store } from './store.js' */
import { newID } from '../protocol/messages.js';
import { UpStream } from '../media/up.js';

/** How often a stream that the server gave up is offered anew. */
const RETRIES = 3;

/**
 * What a publisher works with.
 *
 * @typedef {object} PublisherOptions
 * @property {Store<LocalState>} local
 * @property {Store<{ several: boolean }>} sizes whether a camera is sent in several sizes
 * @property {(message: ClientMessage) => void} send
 * @property {() => RTCConfiguration} configuration
 * @property {() => void} onbroken a stream could not be sent
 */

/** Keeps the up streams as one's own camera, microphone and screen are. */
export class Publisher {
  #options;
  #enabled = false;
  /** @type {Record<'camera' | 'screenshare', UpStream | null>} */
  #streams = { camera: null, screenshare: null };
  #failures = 0;

  /**
   * @param {PublisherOptions} options
   * @param {AbortSignal} signal
   */
  constructor(options, signal) {
    this.#options = options;
    const redraw = () => this.#sync();
    options.local.watch(s => s.camera.track, redraw, signal);
    options.local.watch(s => s.microphone.track, redraw, signal);
    options.local.watch(s => s.share, redraw, signal);
    options.sizes.watch(
      s => s.several,
      several => this.#streams.camera?.vary(several),
      signal,
    );
    signal.addEventListener('abort', () => this.reset());
  }

  /** @param {boolean} enabled whether one is in a group and may be seen and heard */
  enable(enabled) {
    this.#enabled = enabled;
    this.#sync();
  }

  /** Forgets all streams: the connection that they belonged to is gone. */
  reset() {
    this.#enabled = false;
    this.#failures = 0;
    for (const label of /** @type {const} */ (['camera', 'screenshare'])) {
      this.#streams[label]?.close();
      this.#streams[label] = null;
    }
  }

  /**
   * @param {string} id
   * @returns {UpStream | undefined} the up stream of that id
   */
  find(id) {
    return Object.values(this.#streams).find(s => s?.id === id) ?? undefined;
  }

  /**
   * The server will not take a stream.
   *
   * @param {string} id
   */
  aborted(id) {
    this.#options.send({ type: 'close', id });
    const stream = this.find(id);
    if (!stream) return;
    this.#drop(stream);
    this.#options.onbroken();
  }

  #sync() {
    const { camera, microphone, share } = this.#options.local.value;
    const own = [microphone.track, camera.track].filter(track => track !== null);
    this.#publish('camera', own);
    this.#publish('screenshare', share?.getTracks() ?? []);
  }

  /**
   * @param {'camera' | 'screenshare'} label
   * @param {MediaStreamTrack[]} tracks
   */
  #publish(label, tracks) {
    const before = this.#streams[label];
    if (!this.#enabled || tracks.length === 0) {
      if (before) this.#end(before);
      return;
    }
    const kinds = tracks.map(track => track.kind);
    if (before && String(before.kinds) === String(kinds)) {
      for (const track of tracks) void before.swap(track);
      return;
    }
    this.#streams[label] = this.#open(label, tracks, before?.id);
    before?.close();
  }

  /**
   * @param {'camera' | 'screenshare'} label
   * @param {MediaStreamTrack[]} tracks
   * @param {string | undefined} replace
   */
  #open(label, tracks, replace) {
    const { send, configuration, sizes } = this.#options;
    const id = newID();
    let first = replace;
    const stream = new UpStream({
      id,
      label,
      tracks,
      several: sizes.value.several,
      configuration: configuration(),
      signals: {
        offer: sdp => {
          send({ type: 'offer', id, label, sdp, ...(first && { replace: first }) });
          first = undefined;
        },
        ice: candidate => send({ type: 'ice', id, candidate }),
        broken: () => this.#broken(stream),
        state: state => {
          if (state === 'connected') this.#failures = 0;
        },
      },
    });
    void stream.start();
    return stream;
  }

  /** @param {UpStream} stream */
  #broken(stream) {
    this.#end(stream);
    this.#failures++;
    if (this.#failures <= RETRIES) this.#sync();
    else this.#options.onbroken();
  }

  /** @param {UpStream} stream */
  #end(stream) {
    if (this.#drop(stream)) this.#options.send({ type: 'close', id: stream.id });
  }

  /** @param {UpStream} stream */
  #drop(stream) {
    stream.close();
    if (this.#streams[stream.label] !== stream) return false;
    this.#streams[stream.label] = null;
    return true;
  }
}
