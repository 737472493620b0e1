// One camera in several sizes: each viewer gets the one that it looks at and can take.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, person, waitReceived } from './lib/browser.js';
import { enter } from './lib/room.js';
import { startServerOn } from './lib/server.js';
import { narrow } from './lib/narrow.js';
import { countNegotiations, inbound, waitWidth, watchFrames } from './lib/watch.js';

/** @import { TestContext } from 'node:test' */
/** @import { Change, Inbound } from './lib/watch.js' */
/** @import { Browser, BrowserContext, Page } from 'playwright-core' */

const everybody = { password: { type: 'wildcard' }, permissions: 'present' };
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

/** @type {Awaited<ReturnType<typeof startServerOn>>} */
let server;
/** @type {Browser} */
let browser;

before(async () => {
  // Fewer frames leave a small machine time for three encoders.
  browser = await launch(['--use-fake-device-for-media-stream=fps=15']);
  server = await startServerOn({
    groups: Object.fromEntries(
      codecs.map(codec => [
        codec,
        { codecs: [codec, 'opus'], 'wildcard-user': everybody },
      ]),
    ),
  });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** @returns {Promise<BrowserContext>} Somebody with a window for a large picture. */
const somebody = () => person(browser, { viewport: windows.large });

/**
 * Somebody comes to a group with these settings.
 *
 * @param {string} group
 * @param {string} name
 * @param {object} settings
 * @param {BrowserContext} [who]
 */
async function come(group, name, settings, who) {
  const context = who ?? (await somebody());
  await context.addInitScript(countNegotiations);
  await context.addInitScript(
    text => localStorage.setItem('galene.settings', text),
    JSON.stringify(settings),
  );
  return enter(context, `${server.origin}/group/${group}/`, name);
}

/** @param {number[]} numbers */
const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/**
 * The picture does not freeze with a change.
 *
 * @param {TestContext} t
 * @param {Record<string, Change[]>} changes
 */
function assertSmooth(t, changes) {
  for (const [name, all] of Object.entries(changes)) {
    const list = all
      .map(
        c =>
          `${c.width} after ${c.took} ms (longest gap ${c.gap} ms, ${c.longest} ms before that)`,
      )
      .join(', ');
    t.diagnostic(`${name}: ${list}`);
    // A busy machine may delay one of them.
    assert.ok(median(all.map(c => c.gap)) <= 500, `${name}, the picture froze: ${list}`);
  }
}

/** @param {Inbound} now */
const describe = now =>
  `${now.framesDecoded} frames, ${now.keyFramesDecoded} key, ${now.framesDropped} dropped, ` +
  `${now.pliCount} PLI, ${now.freezeCount} freezes`;

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
    const ada = await come(codec, 'Ada', { simulcast: 'on' });
    const grace = await come(codec, 'Grace', { cameraOn: false, microphoneOn: false });
    await waitReceived(grace, r => r.framesDecoded > 0, 'no picture');
    await watchFrames(grace);
    await waitWidth(grace, widths.large, 0);
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
    assertSmooth(t, switches);
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
    assert.equal(now.pliCount, first.pliCount, 'the decoder lacked a keyframe');
    await Promise.all([ada, grace].map(page => page.context().close()));
  });
}

/** What a narrow path lets through, in bits per second: the small picture, but not the next. */
const NARROW = 300_000;

for (const codec of ['vp8', 'vp9']) {
  test(`the size follows what the path can take: ${codec}`, async t => {
    const ada = await come(codec, 'Ada', { simulcast: 'on' });
    const context = await somebody();
    const path = await narrow(context);
    const quiet = { cameraOn: false, microphoneOn: false };
    const grace = await come(codec, 'Grace', quiet, context);
    await waitReceived(grace, r => r.framesDecoded > 0, 'no picture');
    await watchFrames(grace);
    await waitWidth(grace, widths.large, 0);
    const first = await inbound(grace);

    /** @type {Record<string, Change[]>} */
    const changes = { narrow: [], wide: [] };
    for (let i = 0; i < TRIES; i++) {
      for (const [name, rate, size] of /** @type {const} */ ([
        ['narrow', NARROW, 'small'],
        ['wide', Infinity, 'large'],
      ])) {
        const since = await grace.evaluate(() => performance.now());
        path.limit(rate);
        changes[name]?.push(await waitWidth(grace, widths[size], since));
      }
    }
    assertSmooth(t, changes);
    const now = await inbound(grace);
    t.diagnostic(describe(now));
    assert.equal(now.negotiations, first.negotiations, 'switching was negotiated');
    await Promise.all([ada, grace].map(page => page.context().close()));
    path.stop();
  });
}
