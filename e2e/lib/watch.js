// What comes out of the decoder of a page, frame by frame.

/** @import { Page } from 'playwright-core' */

/**
 * One decoded frame.
 *
 * @typedef {object} Frame
 * @property {number} at When it came, in milliseconds of its page.
 * @property {number} width In pixels.
 */

/**
 * What statistics say of the one video that a page receives.
 *
 * @typedef {object} Inbound
 * @property {number} framesDecoded
 * @property {number} keyFramesDecoded
 * @property {number} pliCount
 * @property {number} freezeCount
 * @property {number} frameWidth
 * @property {number} negotiations How often the connection was negotiated.
 */

/** Has a page count how often its connections are negotiated. To be called before it opens. */
export const countNegotiations = () => {
  const native = RTCPeerConnection.prototype.setRemoteDescription;
  /**
   * @this {RTCPeerConnection & { testNegotiations?: number }}
   * @param {[RTCSessionDescriptionInit]} description
   */
  RTCPeerConnection.prototype.setRemoteDescription = function (...description) {
    this.testNegotiations = (this.testNegotiations ?? 0) + 1;
    return Reflect.apply(native, this, description);
  };
};

/**
 * Begins to write down the frames of the video that a page receives.
 *
 * @param {Page} page
 */
export function watchFrames(page) {
  return page.evaluate(() => {
    /** @type {RTCPeerConnection[]} */
    // @ts-expect-error - see keepPeerConnections
    const peers = window.testPeers;
    const track = peers
      .filter(peer => peer.connectionState === 'connected')
      .flatMap(peer => peer.getTransceivers())
      .find(t => t.currentDirection === 'recvonly' && t.receiver.track.kind === 'video')
      ?.receiver.track;
    if (!track) throw new Error('no video is received');
    /** @type {Frame[]} */
    const frames = [];
    Object.assign(window, { testFrames: frames });
    // @ts-expect-error - Chromium has it
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        frames.push({ at: performance.now(), width: value.displayWidth });
        value.close();
      }
    };
    void read();
  });
}

/**
 * Waits until frames of some widths come.
 *
 * @param {Page} page
 * @param {number[]} widths
 * @param {number} since In milliseconds of the page.
 * @param {number} [timeout]
 * @returns {Promise<{ took: number, gap: number }>} Milliseconds to the first such frame, and
 *   the longest wait for a frame from then to a little later.
 */
export async function waitWidth(page, widths, since, timeout = 60_000) {
  const first = await page.waitForFunction(
    ([wanted, from]) => {
      /** @type {Frame[]} */
      // @ts-expect-error - see watchFrames
      const frames = window.testFrames;
      const i = frames.findIndex(f => f.at > from && wanted.includes(f.width));
      // Some more, to see how it goes on.
      return i >= 0 && frames.length > i + 10 ? i + 1 : 0;
    },
    /** @type {const} */ ([widths, since]),
    { timeout, polling: 50 },
  );
  const index = Number(await first.jsonValue()) - 1;
  return page.evaluate(([i, from]) => {
    /** @type {Frame[]} */
    // @ts-expect-error - see watchFrames
    const frames = window.testFrames;
    const near = frames.slice(Math.max(0, i - 10), i + 11);
    const gaps = near.slice(1).map((f, k) => f.at - (near[k]?.at ?? f.at));
    return {
      took: Math.round((frames[i]?.at ?? NaN) - from),
      gap: Math.round(Math.max(...gaps)),
    };
  }, /** @type {const} */ ([index, since]));
}

/**
 * @param {Page} page
 * @returns {Promise<Inbound>}
 */
export function inbound(page) {
  return page.evaluate(async () => {
    // @ts-expect-error - see keepPeerConnections
    for (const peer of window.testPeers) {
      if (peer.connectionState !== 'connected') continue;
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp' || report.kind !== 'video') continue;
        return { ...report, negotiations: peer.testNegotiations };
      }
    }
    throw new Error('no video is received');
  });
}
