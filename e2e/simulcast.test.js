// One camera in several sizes: each viewer gets the one that it looks at and can take.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { person, waitReceived } from './lib/browser.js';
import { Machine } from './lib/machine.js';
import { come, launchSlow, startServerOf } from './lib/sizes.js';
import { assertSmooth, describe, inbound, waitWidth, watchFrames } from './lib/watch.js';

/** @import { Change } from './lib/watch.js' */
/** @import { Browser, Page } from 'playwright-core' */

const codecs = ['vp8', 'vp9', 'av1', 'h264'];

/** Sizes of a viewer's window in which the picture is small, and large. */
const windows = {
  small: { width: 400, height: 360 },
  large: { width: 760, height: 640 },
};
/**
 * Widths that belong to them. A busy machine makes the largest encoding smaller.
 *
 * @type {Record<keyof typeof windows, [number, number]>}
 */
const widths = { small: [1, 320], large: [480, 1280] };
/** How often each switch is tried. */
const TRIES = 3;

/** @type {Awaited<ReturnType<typeof startServerOf>>} */
let server;
/** @type {Browser} */
let browser;

before(async () => {
  browser = await launchSlow();
  server = await startServerOf(codecs);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/**
 * Somebody with a large window comes to the group of a codec with these settings.
 *
 * @param {string} codec
 * @param {string} name
 * @param {object} settings
 */
async function comeLarge(codec, name, settings) {
  const context = await person(browser, { viewport: windows.large });
  return come(context, `${server.origin}/group/${codec}/`, name, settings);
}

/**
 * What a page sends of its camera, by encoding.
 *
 * @param {Page} page
 * @returns {Promise<{ rid?: string, frameWidth?: number, scalabilityMode?: string, mimeType?: string }[]>}
 */
const outbound = page =>
  page.evaluate(async () => {
    const sent = [];
    // @ts-expect-error - see keepPeerConnections
    for (const peer of window.testPeers) {
      if (peer.connectionState !== 'connected') continue;
      const reports = await peer.getStats();
      for (const report of reports.values()) {
        if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
        sent.push({ ...report, mimeType: reports.get(report.codecId)?.mimeType });
      }
    }
    return sent;
  });

for (const codec of codecs) {
  test(`the size follows the tile, without negotiation and without a freeze: ${codec}`, async t => {
    const ada = await comeLarge(codec, 'Ada', { simulcast: 'on' });
    const grace = await comeLarge(codec, 'Grace', {
      cameraOn: false,
      microphoneOn: false,
    });
    await waitReceived(grace, r => r.framesDecoded > 0, 'no picture');
    await watchFrames(grace);
    await waitWidth(grace, widths.large, 0);
    const machine = new Machine();
    const first = await inbound(grace);

    /** @type {Record<keyof typeof windows, Change[]>} */
    const switches = { small: [], large: [] };
    for (let i = 0; i < TRIES; i++) {
      for (const size of /** @type {const} */ (['small', 'large'])) {
        const since = await grace.evaluate(() => performance.now());
        await grace.setViewportSize(windows[size]);
        switches[size].push(await waitWidth(grace, widths[size], since));
      }
    }
    const sent = await outbound(ada);
    t.diagnostic(
      sent
        .map(s => `${s.rid} ${s.mimeType} ${s.frameWidth ?? 0} ${s.scalabilityMode}`)
        .join('; '),
    );
    const now = await inbound(grace);
    t.diagnostic(describe(now));
    assert.ok(now.framesDecoded > first.framesDecoded);
    assert.equal(now.negotiations, first.negotiations, 'switching was negotiated');
    machine.excuse(t, () => {
      assertSmooth(t, switches);
      assert.equal(now.pliCount, first.pliCount, 'the decoder lacked a keyframe');
    });
    await Promise.all([ada, grace].map(page => page.context().close()));
  });
}
