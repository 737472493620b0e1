// What a bad network loses is sent again, beside the streams, in both directions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { person, waitReceived } from './lib/browser.js';
import { lossy } from './lib/lossy.js';
import { enter } from './lib/room.js';
import { setStage } from './lib/stage.js';

/** @import { Page } from 'playwright-core' */

const stage = setStage();

/**
 * What this test looks at of a browser's statistics.
 *
 * @typedef {object} VideoReport
 * @property {number} rtxSsrc
 * @property {number} packetsSent
 * @property {number} packetsReceived
 * @property {number} packetsLost
 * @property {number} nackCount
 * @property {number} pliCount
 * @property {number} retransmittedPacketsSent
 * @property {number} retransmittedPacketsReceived
 * @property {number} framesReceived
 * @property {number} framesDecoded
 * @property {number} framesDropped
 * @property {number} keyFramesDecoded
 * @property {number} freezeCount
 * @property {number} totalFreezesDuration
 */

/**
 * @param {Page} page
 * @param {'inbound-rtp' | 'outbound-rtp'} type
 * @returns {Promise<VideoReport>} The page's statistics of its video in one direction: of the
 *   encoding of which most has gone.
 */
async function video(page, type) {
  const found = await page.evaluate(async wanted => {
    /** @param {VideoReport} report */
    const packets = report => report.packetsSent ?? report.packetsReceived;
    let most = null;
    // @ts-expect-error - see keepPeerConnections
    for (const pc of window.testPeers)
      for (const report of (await pc.getStats()).values())
        if (report.type === wanted && report.kind === 'video')
          if (!most || packets(report) > packets(most)) most = report;
    return most;
  }, type);
  assert.ok(found, `there is no ${type} of video`);
  return found;
}

test('what is lost is sent again beside the stream, in both directions', async t => {
  const [publisher, viewer] = [
    await person(stage.browser),
    await person(stage.browser, { devices: false }),
  ];
  let packets = 0;
  const loses = () => ++packets % 20 === 0;
  const paths = [await lossy(publisher, loses), await lossy(viewer, loses)];
  t.after(() => paths.forEach(path => path.end()));
  const ada = await enter(publisher, stage.server.url, 'Ada');
  const grace = await enter(viewer, stage.server.url, 'Grace');
  await waitReceived(grace, r => r.framesDecoded > 200, 'pictures stand still', 120_000);

  const sent = await video(ada, 'outbound-rtp');
  const got = await video(grace, 'inbound-rtp');
  t.diagnostic(
    `publisher: ${sent.packetsSent} packets, ${sent.nackCount} NACKs, ${sent.retransmittedPacketsSent} sent again; ` +
      `viewer: ${got.packetsReceived} packets, ${got.packetsLost} lost, ${got.retransmittedPacketsReceived} came again, ` +
      `${got.framesReceived} frames, ${got.framesDecoded} decoded, ${got.framesDropped} dropped, ` +
      `${got.keyFramesDecoded} keyframes, ${got.pliCount} PLIs, ${got.freezeCount} freezes of ${got.totalFreezesDuration} s`,
  );
  assert.ok(sent.rtxSsrc, 'the publisher has no source of retransmissions');
  assert.ok(
    sent.retransmittedPacketsSent > 5,
    'the publisher has sent next to nothing again',
  );
  assert.ok(got.rtxSsrc, 'the viewer has no source of retransmissions');
  assert.ok(got.retransmittedPacketsReceived > 5, 'next to nothing came again');
  // A frame that misses something, or is broken, is not decoded.
  assert.ok(
    got.framesDecoded + got.framesDropped >= got.framesReceived - 10,
    'not all frames were decoded',
  );
  assert.ok(got.pliCount <= 2, `${got.pliCount} times the viewer had to begin anew`);
});
