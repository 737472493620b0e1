/**
 * Runs asynchronous steps one after the other: offers, answers and candidates of a peer
 * connection must not overtake each other.
 */
export class Steps {
  /** @type {Promise<void>} */
  #last = Promise.resolve();
  #onerror;

  /** @param {(error: unknown) => void} onerror told about each step that fails */
  constructor(onerror) {
    this.#onerror = onerror;
  }

  /** @param {() => Promise<void>} step */
  add(step) {
    this.#last = this.#last.then(step).catch(this.#onerror);
    return this.#last;
  }
}

/** Candidates that come before the description they belong to. */
export class Candidates {
  /** @type {RTCIceCandidateInit[]} */
  #waiting = [];
  #pc;

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    this.#pc = pc;
  }

  /** @param {RTCIceCandidateInit} candidate */
  async add(candidate) {
    if (this.#pc.signalingState === 'closed') return;
    if (!this.#pc.remoteDescription) {
      this.#waiting.push(candidate);
      return;
    }
    // A candidate of a network that this side does not have is no failure.
    await this.#pc.addIceCandidate(candidate).catch(() => {});
  }

  /** Adds what came too early; to be called after a remote description was set. */
  async flush() {
    for (const candidate of this.#waiting.splice(0)) await this.add(candidate);
  }
}

/** Milliseconds that a connection which is lost may take to come back by itself. */
export const RECOVERY = 2000;

/**
 * Looks for another way through the network when a connection is lost. Browsers notice
 * that after some seconds, and give up much later; whatever way there was may be gone for
 * good.
 *
 * @param {RTCPeerConnection} pc
 * @param {() => void} restart
 */
export function mend(pc, restart) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  pc.addEventListener('connectionstatechange', () => {
    clearTimeout(timer);
    if (pc.connectionState === 'failed') restart();
    if (pc.connectionState !== 'disconnected') return;
    timer = setTimeout(() => {
      if (pc.connectionState === 'disconnected') restart();
    }, RECOVERY);
  });
}

/**
 * Sends the candidates of a connection as they are found. The end of them is not sent: the
 * protocol has no word for it.
 *
 * @param {RTCPeerConnection} pc
 * @param {(candidate: RTCIceCandidateInit) => void} send
 */
export function trickle(pc, send) {
  pc.addEventListener('icecandidate', e => {
    if (e.candidate?.candidate) send(e.candidate.toJSON());
  });
}
