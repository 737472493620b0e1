// One camera in several sizes, and a viewer whose path becomes narrow and wide again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { person, waitReceived } from './lib/browser.js';
import { narrow } from './lib/narrow.js';
import { come, launchSlow, startServerOf } from './lib/sizes.js';
import {
  describe,
  describeChange,
  inbound,
  waitWidth,
  watchFrames,
} from './lib/watch.js';

/** @import { Browser, Page } from 'playwright-core' */

const codecs = ['vp8'];
/** Bits per second from which the large picture is worth more than the next one. */
const WORTH = 500_000;
/** What a narrow path lets through of what came before. */
const SHARE = 0.6;

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
 * @param {Page} page
 * @returns {Promise<number>} Bits per second of video that come, over some seconds.
 */
async function rateOf(page) {
  const first = await inbound(page);
  await new Promise(resolve => setTimeout(resolve, 2000));
  return ((await inbound(page)).bytesReceived - first.bytesReceived) * 4;
}

for (const codec of codecs) {
  test(`the size follows what the path can take: ${codec}`, async t => {
    const url = `${server.origin}/group/${codec}/`;
    const viewport = { width: 760, height: 640 };
    const [publisher, viewer] = await Promise.all([
      person(browser, { viewport }),
      person(browser, { viewport }),
    ]);
    const path = await narrow(viewer);
    t.after(async () => {
      path.stop();
      await Promise.all([publisher, viewer].map(context => context.close()));
    });
    await come(publisher, url, 'Ada', { simulcast: 'on' });
    const quiet = { cameraOn: false, microphoneOn: false };
    const grace = await come(viewer, url, 'Grace', quiet);
    await waitReceived(grace, r => r.framesDecoded > 0, 'no picture');
    await watchFrames(grace);
    let { width } = await waitWidth(grace, [480, 1280], 0);
    const first = await inbound(grace);

    let rate = 0;
    for (let i = 0; i < 30 && rate < WORTH; i++) rate = await rateOf(grace);
    ({ frameWidth: width } = await inbound(grace));
    t.diagnostic(`${width} at ${Math.round(rate / 1000)} kbit/s`);
    for (const name of /** @type {const} */ (['narrow', 'wide'])) {
      const since = await grace.evaluate(() => performance.now());
      path.limit(name === 'narrow' ? rate * SHARE : Infinity);
      /** @type {[number, number]} */
      const widths = name === 'narrow' ? [1, width - 1] : [width + 1, 1280];
      const change = await waitWidth(grace, widths, since, 75_000);
      // The path itself holds frames up.
      t.diagnostic(`${name}: ${describeChange(change)}`);
      ({ width } = change);
    }
    const now = await inbound(grace);
    t.diagnostic(describe(now));
    assert.ok(now.framesDecoded > first.framesDecoded);
    assert.equal(now.negotiations, first.negotiations, 'switching was negotiated');
  });
}
