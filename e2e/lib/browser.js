// Chromium with a fake camera and microphone, and what tests ask of its pages.

import { execFileSync } from 'node:child_process';

import { chromium } from 'playwright-core';

/** @import { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core' */

const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'];

/** @returns {string} The path of the system's Chromium. */
function executable() {
  for (const name of names) {
    if (!name) continue;
    try {
      return execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], {
        encoding: 'utf8',
      }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new Error('no Chromium found; set CHROMIUM to its path');
}

/**
 * @param {string[]} [more] Further flags.
 * @returns {Promise<Browser>}
 */
export function launch(more = []) {
  return chromium.launch({
    executablePath: executable(),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      ...more,
    ],
  });
}

/**
 * A context of its own is a person of their own. Its pages keep their peer
 * connections where {@link received} finds them, and report their errors.
 *
 * @param {Browser} browser
 * @param {BrowserContextOptions & { devices?: boolean }} [options]
 * @returns {Promise<BrowserContext>}
 */
export async function person(browser, { devices = true, ...options } = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    locale: 'en-GB',
    viewport: { width: 1280, height: 800 },
    permissions: devices ? ['camera', 'microphone'] : [],
    ...options,
  });
  await context.addInitScript(keepPeerConnections);
  return context;
}

/**
 * What {@link keepPeerConnections} remembers of one, in milliseconds of its page.
 *
 * @typedef {RTCPeerConnection & { testAnswered?: number, testFirstFrame?: number }} KeptPeer
 */

/** Runs in the page, before its own scripts. */
function keepPeerConnections() {
  /** @type {KeptPeer[]} */
  const all = [];
  Object.defineProperty(window, 'testPeers', { value: all });
  /** @param {KeptPeer} peer */
  const keep = peer => {
    all.push(peer);
    peer.addEventListener('signalingstatechange', () => {
      if (peer.signalingState === 'stable') peer.testAnswered ??= performance.now();
    });
    peer.addEventListener('track', ({ track, streams }) => {
      if (track.kind !== 'video') return;
      const video = document.createElement('video');
      video.muted = true;
      video.srcObject = streams[0] ?? new MediaStream([track]);
      video.requestVideoFrameCallback(() => {
        peer.testFirstFrame ??= performance.now();
      });
      void video.play();
    });
  };
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(Native, parameters) {
      const peer = new Native(...parameters);
      keep(peer);
      return peer;
    },
  });
}

/**
 * Waits until so many streams have shown their first frame.
 *
 * @param {Page} page
 * @param {number} streams
 * @returns {Promise<number[]>} From the answer to the first frame, in milliseconds each.
 */
export async function waitFirstFrames(page, streams) {
  const waits = await page.waitForFunction(wanted => {
    /** @type {KeptPeer[]} */
    // @ts-expect-error - see keepPeerConnections
    const peers = window.testPeers;
    const seen = peers.filter(peer => peer.testFirstFrame);
    if (seen.length < wanted) return null;
    return seen.map(peer =>
      Math.round((peer.testFirstFrame ?? 0) - (peer.testAnswered ?? 0)),
    );
  }, streams);
  return /** @type {Promise<number[]>} */ (waits.jsonValue());
}

/**
 * What a page has received, over all its peer connections.
 *
 * @typedef {object} Received
 * @property {number} videoStreams How many video tracks frames arrive on.
 * @property {number} framesDecoded
 * @property {number} audioPackets
 * @property {number} audioStreams How many audio tracks packets arrive on.
 */

/**
 * @param {Page} page
 * @returns {Promise<Received>}
 */
export function received(page) {
  return page.evaluate(async () => {
    const sum = { videoStreams: 0, framesDecoded: 0, audioPackets: 0, audioStreams: 0 };
    // @ts-expect-error - see keepPeerConnections
    for (const pc of window.testPeers) {
      if (pc.connectionState !== 'connected') continue;
      for (const report of (await pc.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.kind === 'video' && report.framesDecoded > 0) {
          sum.videoStreams++;
          sum.framesDecoded += report.framesDecoded;
        }
        if (report.kind === 'audio' && report.packetsReceived > 0) {
          sum.audioStreams++;
          sum.audioPackets += report.packetsReceived;
        }
      }
    }
    return sum;
  });
}

/**
 * Waits until what a page receives satisfies a condition.
 *
 * @param {Page} page
 * @param {(r: Received) => boolean} condition
 * @param {string} what Named in the error.
 * @param {number} [timeout] In milliseconds.
 * @returns {Promise<Received>}
 */
export async function waitReceived(page, condition, what, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const now = await received(page);
    if (condition(now)) return now;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(now)}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}
