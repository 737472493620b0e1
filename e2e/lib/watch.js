// What comes out of the decoder of a page, frame by frame.

import assert from 'node:assert/strict';

/** @import { TestContext } from 'node:test' */
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
 * @property {number} bytesReceived
 * @property {number} framesDropped
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
 * A change to frames of another width. All times are in milliseconds.
 *
 * @typedef {object} Change
 * @property {number} width Of the first such frame, in pixels.
 * @property {number} took From when it was asked for to the first such frame.
 * @property {number} gap The longest wait for a frame, from ten before that one to ten after it.
 * @property {number} longest The same, from when it was asked for.
 */

/**
 * Waits until frames come whose width lies between two.
 *
 * @param {Page} page
 * @param {readonly [least: number, most: number]} widths In pixels.
 * @param {number} since In milliseconds of the page.
 * @param {number} [timeout]
 * @returns {Promise<Change>}
 */
export async function waitWidth(page, [least, most], since, timeout = 60_000) {
  const change = await page.waitForFunction(
    ([low, high, from]) => {
      /** @type {Frame[]} */
      // @ts-expect-error - see watchFrames
      const frames = window.testFrames;
      const i = frames.findIndex(f => f.at > from && f.width >= low && f.width <= high);
      // Some more, to see how it goes on.
      const some = frames.slice(0, i + 11);
      if (i < 0 || some.length < i + 11) return null;
      const gaps = some.map((f, k) => Math.round(f.at - (some[k - 1]?.at ?? f.at)));
      const begin = some.findIndex(f => f.at > from);
      return {
        width: some[i]?.width,
        took: Math.round((some[i]?.at ?? NaN) - from),
        gap: Math.max(...gaps.slice(Math.max(0, i - 10))),
        longest: Math.max(...gaps.slice(begin)),
      };
    },
    /** @type {const} */ ([least, most, since]),
    { timeout, polling: 50 },
  );
  return /** @type {Promise<Change>} */ (change.jsonValue());
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

/** @param {number[]} numbers */
const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/**
 * The picture does not freeze with a change.
 *
 * @param {TestContext} t
 * @param {Record<string, Change[]>} changes
 */
export function assertSmooth(t, changes) {
  for (const [name, all] of Object.entries(changes)) {
    const list = all.map(describeChange).join(', ');
    t.diagnostic(`${name}: ${list}`);
    // A busy machine may delay one of them.
    assert.ok(median(all.map(c => c.gap)) <= 500, `${name}, the picture froze: ${list}`);
  }
}

/** @param {Change} c */
export const describeChange = c =>
  `${c.width} after ${c.took} ms (longest gap ${c.gap} ms, ${c.longest} ms before that)`;

/** @param {Inbound} now */
export const describe = now =>
  `${now.framesDecoded} frames, ${now.keyFramesDecoded} key, ${now.framesDropped} dropped, ` +
  `${now.pliCount} PLI, ${now.freezeCount} freezes`;
