import { Candidates, Steps, trickle } from './peer.js';

/** Highest rates in bits per second, by what a stream shows. */
export const RATES = { camera: 1_500_000, screenshare: 3_000_000, audio: 64_000 };

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

  /**
   * @param {object} options
   * @param {string} options.id
   * @param {'camera' | 'screenshare'} options.label
   * @param {MediaStreamTrack[]} options.tracks
   * @param {RTCConfiguration} options.configuration
   * @param {UpSignals} options.signals
   */
  constructor({ id, label, tracks, configuration, signals }) {
    this.id = id;
    this.label = label;
    this.#signals = signals;
    this.#pc = new RTCPeerConnection(configuration);
    this.#candidates = new Candidates(this.#pc);
    this.#steps = new Steps(() => {
      if (this.#pc.signalingState !== 'closed') signals.broken();
    });
    trickle(this.#pc, signals.ice);
    this.#pc.addEventListener('connectionstatechange', () => {
      signals.state(this.#pc.connectionState);
      if (this.#pc.connectionState === 'failed') this.renegotiate();
    });
    const stream = new MediaStream(tracks);
    for (const track of tracks) {
      const maxBitrate = track.kind === 'video' ? RATES[label] : RATES.audio;
      this.#pc.addTransceiver(track, {
        direction: 'sendonly',
        streams: [stream],
        sendEncodings: [{ maxBitrate }],
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
    if (sender && sender.track !== track) await sender.replaceTrack(track);
  }

  close() {
    this.#pc.close();
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
