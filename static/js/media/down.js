import { Candidates, Steps, mend, trickle } from './peer.js';
import { levelOf } from './level.js';

/**
 * What a down stream says to the server and to its owner.
 *
 * @typedef {object} DownSignals
 * @property {(sdp: string) => void} answer
 * @property {(candidate: RTCIceCandidateInit) => void} ice
 * @property {() => void} renegotiate
 * @property {() => void} broken the offer cannot be taken
 * @property {() => void} change tracks or the state of the connection are others now
 */

/** A stream that is received from the server: it offers, this side answers. */
export class DownStream {
  #pc;
  #steps;
  #candidates;
  #signals;

  /**
   * @param {object} options
   * @param {string} options.id
   * @param {RTCConfiguration} options.configuration
   * @param {DownSignals} options.signals
   */
  constructor({ id, configuration, signals }) {
    this.id = id;
    this.#signals = signals;
    this.#pc = new RTCPeerConnection(configuration);
    this.#candidates = new Candidates(this.#pc);
    this.#steps = new Steps(() => {
      if (this.#pc.signalingState !== 'closed') signals.broken();
    });
    trickle(this.#pc, signals.ice);
    this.#pc.addEventListener('connectionstatechange', () => signals.change());
    mend(this.#pc, () => signals.renegotiate());
  }

  get state() {
    return this.#pc.connectionState;
  }

  /**
   * The track of a kind that is being sent at present.
   *
   * @param {'audio' | 'video'} kind
   * @returns {MediaStreamTrack | null}
   */
  track(kind) {
    return this.#receiver(kind)?.track ?? null;
  }

  /** How loud it is, from 0 to 1. */
  async level() {
    const receiver = this.#receiver('audio');
    return receiver ? levelOf(receiver) : 0;
  }

  /** @param {string} sdp */
  offer(sdp) {
    void this.#steps.add(async () => {
      if (this.#pc.signalingState === 'closed') return;
      await this.#pc.setRemoteDescription({ type: 'offer', sdp });
      await this.#candidates.flush();
      await this.#pc.setLocalDescription();
      this.#signals.answer(this.#pc.localDescription?.sdp ?? '');
      this.#signals.change();
    });
  }

  /** @param {RTCIceCandidateInit} candidate */
  ice(candidate) {
    void this.#steps.add(() => this.#candidates.add(candidate));
  }

  close() {
    this.#pc.close();
  }

  /** @param {'audio' | 'video'} kind */
  #receiver(kind) {
    return this.#pc
      .getTransceivers()
      .find(
        t =>
          t.receiver.track.kind === kind &&
          (t.currentDirection === 'recvonly' || t.currentDirection === 'sendrecv'),
      )?.receiver;
  }
}
