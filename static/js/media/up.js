import { encodingsOf } from './encodings.js';
import { Candidates, Steps, mend, trickle } from './peer.js';

/** Highest rates in bits per second of what is sent in one encoding. */
export const RATES = { screenshare: 3_000_000, audio: 64_000 };

/**
 * What an up stream says to the server.
 *
 * @typedef {object} UpSignals
 * @property {(sdp: string) => void} offer
 * @property {(candidate: RTCIceCandidateInit) => void} ice
 * @property {() => void} broken it cannot be negotiated; the owner gives it up
 * @property {(state: RTCPeerConnectionState) => void} state
 */

/**
 * A stream that is sent to the server. The sender of media offers.
 *
 *     new ──offer──▶ offering ──answer──▶ stable ──renegotiate──▶ offering …
 */
export class UpStream {
  #pc;
  #steps;
  #candidates;
  #signals;
  /** Whether a new offer is wanted as soon as the present one is answered. */
  #again = false;
  #several;

  /**
   * @param {object} options
   * @param {string} options.id
   * @param {'camera' | 'screenshare'} options.label
   * @param {MediaStreamTrack[]} options.tracks
   * @param {boolean} options.several whether a camera is sent in several sizes
   * @param {RTCConfiguration} options.configuration
   * @param {UpSignals} options.signals
   */
  constructor({ id, label, tracks, several, configuration, signals }) {
    this.id = id;
    this.label = label;
    this.#several = several;
    this.#signals = signals;
    this.#pc = new RTCPeerConnection(configuration);
    this.#candidates = new Candidates(this.#pc);
    this.#steps = new Steps(() => {
      if (this.#pc.signalingState !== 'closed') signals.broken();
    });
    trickle(this.#pc, signals.ice);
    this.#pc.addEventListener('connectionstatechange', () => {
      signals.state(this.#pc.connectionState);
    });
    mend(this.#pc, () => this.renegotiate());
    const stream = new MediaStream(tracks);
    for (const track of tracks) {
      this.#pc.addTransceiver(track, {
        direction: 'sendonly',
        streams: [stream],
        sendEncodings: this.#encodings(track),
      });
    }
  }

  /** The kinds of track that it carries. */
  get kinds() {
    return this.#senders().map(sender => sender.track?.kind);
  }

  /** Makes the first offer. */
  start() {
    return this.#steps.add(() => this.#offer(false));
  }

  /** Offers again, over a new path through the network. */
  renegotiate() {
    if (this.#pc.signalingState === 'have-local-offer') {
      this.#again = true;
      return;
    }
    void this.#steps.add(() => this.#offer(true));
  }

  /** @param {string} sdp */
  answer(sdp) {
    void this.#steps.add(async () => {
      if (this.#pc.signalingState !== 'have-local-offer') return;
      await this.#pc.setRemoteDescription({ type: 'answer', sdp });
      await this.#candidates.flush();
      await this.#tune();
      if (!this.#again) return;
      this.#again = false;
      await this.#offer(true);
    });
  }

  /** @param {RTCIceCandidateInit} candidate */
  ice(candidate) {
    void this.#steps.add(() => this.#candidates.add(candidate));
  }

  /**
   * Sends another track of the same kind from now on, unnoticed by the others.
   *
   * @param {MediaStreamTrack} track
   */
  async swap(track) {
    const sender = this.#senders().find(s => s.track?.kind === track.kind);
    if (!sender || sender.track === track) return;
    await sender.replaceTrack(track);
    void this.#steps.add(() => this.#tune());
  }

  /**
   * Sends a camera in several sizes or in one from now on, without a new offer.
   *
   * @param {boolean} several
   */
  vary(several) {
    if (several === this.#several) return;
    this.#several = several;
    void this.#steps.add(() => this.#tune());
  }

  close() {
    this.#pc.close();
  }

  /**
   * @param {MediaStreamTrack} track
   * @returns {RTCRtpEncodingParameters[]}
   */
  #encodings(track) {
    if (track.kind === 'audio') return [{ maxBitrate: RATES.audio }];
    if (this.label === 'screenshare') return [{ maxBitrate: RATES.screenshare }];
    return encodingsOf({ picture: track.getSettings(), several: this.#several });
  }

  /** Fits what is sent of a camera to its picture, to the codec and to what is wanted. */
  async #tune() {
    const sender = this.#senders().find(s => s.track?.kind === 'video');
    if (!sender?.track || this.label !== 'camera') return;
    const parameters = sender.getParameters();
    const codec = parameters.codecs[0]?.mimeType;
    const picture = sender.track.getSettings();
    const wanted = encodingsOf({ picture, several: this.#several, codec });
    parameters.encodings.forEach((encoding, i) => {
      // A server that takes but one encoding leaves it without a name.
      const of = encoding.rid ? wanted.find(w => w.rid === encoding.rid) : wanted[i];
      Object.assign(encoding, of, { rid: encoding.rid });
    });
    // What cannot be had is no reason to stop sending.
    await sender.setParameters(parameters).catch(() => {});
  }

  #senders() {
    return this.#pc.getSenders().filter(sender => sender.track);
  }

  /** @param {boolean} iceRestart */
  async #offer(iceRestart) {
    if (this.#pc.signalingState === 'closed') return;
    const offer = await this.#pc.createOffer({ iceRestart });
    await this.#pc.setLocalDescription(offer);
    this.#signals.offer(this.#pc.localDescription?.sdp ?? '');
  }
}
