// Clients from elsewhere, on pages of another origin, publish with WHIP and watch with WHEP.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, person, received, waitReceived } from './lib/browser.js';
import { enter } from './lib/room.js';
import { startServerOn } from './lib/server.js';
import { startStudio } from './lib/studio.js';

/** @import { Browser, Page } from 'playwright-core' */
/** @import { Received } from './lib/browser.js' */

const everybody = { password: { type: 'wildcard' }, permissions: 'present' };
const token = 'a-token-that-nobody-guesses';

/** @type {Awaited<ReturnType<typeof startServerOn>>} */
let server;
/** @type {Awaited<ReturnType<typeof startStudio>>} */
let studio;
/** @type {Browser} */
let browser;

before(async () => {
  [studio, browser] = await Promise.all([startStudio(), launch()]);
  server = await startServerOn({
    settings: { allowOrigin: [studio.origin] },
    groups: {
      studio: { 'wildcard-user': everybody },
      hall: { 'wildcard-user': everybody },
      guarded: {},
    },
    tokens: ['studio', 'guarded'].map(group => ({
      token: `${token}-${group}`,
      group,
      username: 'Camera 1',
      permissions: ['present'],
      expires: '2099-01-01T00:00:00Z',
    })),
  });
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await studio?.stop();
});

/** @returns {Promise<Page>} A page of the other site, which has loaded its clients. */
async function studioPage() {
  const context = await person(browser);
  const page = await context.newPage();
  await page.goto(studio.origin);
  await page.waitForFunction(() => 'WHEPClient' in window);
  return page;
}

/**
 * Publishes the fake camera and microphone.
 *
 * @param {Page} page
 * @param {string} url
 * @param {string} [bearer]
 * @returns {Promise<void>}
 */
function publish(page, url, bearer) {
  return page.evaluate(
    async ([endpoint, secret]) => {
      const media = await navigator.mediaDevices.getUserMedia({
        audio: true,
        video: true,
      });
      const peer = new RTCPeerConnection();
      for (const track of media.getTracks())
        peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
      // @ts-expect-error - see studioPage
      window.client = new window.WHIPClient();
      // @ts-expect-error - likewise
      await window.client.publish(peer, endpoint, secret);
    },
    [url, bearer],
  );
}

/**
 * Watches, and shows the first stream that comes.
 *
 * @param {Page} page
 * @param {string} url
 * @param {string} [bearer]
 * @param {number} [places] How many streams there is room for.
 * @returns {Promise<void>}
 */
function watch(page, url, bearer, places = 1) {
  return page.evaluate(
    async ([endpoint, secret, count]) => {
      const peer = new RTCPeerConnection();
      for (let i = 0; i < Number(count); i++) {
        peer.addTransceiver('video', { direction: 'recvonly' });
        peer.addTransceiver('audio', { direction: 'recvonly' });
      }
      peer.addEventListener('track', ({ streams: [stream] }) => {
        const video = document.querySelector('video');
        if (video && stream) video.srcObject ??= stream;
      });
      // @ts-expect-error - see studioPage
      window.client = new window.WHEPClient();
      // @ts-expect-error - likewise
      await window.client.view(peer, endpoint, secret);
      Object.assign(window, { peer });
    },
    [url, bearer, places],
  );
}

/**
 * @param {Page} page
 * @returns {Promise<number[]>} The frames that were decoded at each place.
 */
function framesOfPlaces(page) {
  return page.evaluate(async () => {
    // @ts-expect-error - see watch
    const peer = /** @type {RTCPeerConnection} */ (window.peer);
    const receivers = peer
      .getReceivers()
      .filter(receiver => receiver.track.kind === 'video');
    return Promise.all(
      receivers.map(async receiver => {
        let frames = 0;
        for (const report of (await receiver.getStats()).values())
          if (report.type === 'inbound-rtp') frames = report.framesDecoded ?? 0;
        return frames;
      }),
    );
  });
}

/**
 * Waits until every place has shown something new, or those given.
 *
 * @param {Page} page
 * @param {number[]} places
 */
async function waitPlaces(page, places) {
  const first = await framesOfPlaces(page);
  const end = Date.now() + 60_000;
  for (;;) {
    const frames = await framesOfPlaces(page);
    if (places.every(i => (frames[i] ?? 0) > (first[i] ?? 0) + 5)) return;
    assert.ok(Date.now() < end, `places ${places.join()} stand still: ${frames.join()}`);
    await page.waitForTimeout(100);
  }
}

/**
 * Ends what the page publishes or watches. The clients close their connection first, of
 * which the server may hear before it is asked.
 *
 * @param {Page} page
 */
async function stop(page) {
  const gone = page.waitForResponse(r => r.request().method() === 'DELETE');
  // @ts-expect-error - see studioPage
  await page.evaluate(() => window.client.stop());
  const status = (await gone).status();
  assert.ok([200, 404].includes(status), `DELETE was answered with ${status}`);
}

/** @param {Page} page */
async function waitMoving(page) {
  const first = await waitReceived(
    page,
    r => r.framesDecoded > 0 && r.audioPackets > 0,
    'no picture or no sound',
  );
  /** @param {Received} r */
  const moved = r =>
    r.framesDecoded > first.framesDecoded + 10 &&
    r.audioPackets > first.audioPackets + 20;
  await waitReceived(page, moved, 'picture or sound stands still');
}

test('what a page of another site publishes is seen in the group', async t => {
  const ada = await enter(await person(browser), `${server.origin}/group/studio/`, 'Ada');
  const camera = await studioPage();
  await publish(camera, `${server.origin}/group/studio/.whip`, `${token}-studio`);
  await waitMoving(ada);
  const tile = ada.locator('[data-member-id]', { hasText: 'Camera 1' }).first();
  await tile.waitFor();

  await t.test('and by a viewer of another site', async () => {
    const viewer = await studioPage();
    await watch(
      viewer,
      `${server.origin}/group/studio/.whep?user=${encodeURIComponent('Camera 1')}`,
      `${token}-studio`,
    );
    await waitMoving(viewer);
    const size = await viewer.waitForFunction(() => {
      const video = document.querySelector('video');
      return video && video.currentTime > 0 ? video.videoWidth : 0;
    });
    assert.ok(Number(await size.jsonValue()) > 0, 'the video shows nothing');
    await stop(viewer);
  });

  await stop(camera);
  await tile.waitFor({ state: 'detached' });
});

test('a viewer of another site sees who has a page', async () => {
  const grace = await enter(
    await person(browser),
    `${server.origin}/group/studio/`,
    'Grace',
  );
  const viewer = await studioPage();
  await watch(viewer, `${server.origin}/group/studio/.whep?user=Grace`);
  await waitMoving(viewer);
  assert.equal((await received(viewer)).videoStreams, 1);
  await grace.getByRole('button', { name: 'Leave' }).click();
});

test('a viewer of another site sees everybody in one connection', async () => {
  const room = `${server.origin}/group/hall/`;
  const ada = await enter(await person(browser), room, 'Ada');
  const viewer = await studioPage();
  await watch(viewer, `${room}.whep`, undefined, 3);
  await waitPlaces(viewer, [0]);
  const bob = await enter(await person(browser), room, 'Bob');
  await waitPlaces(viewer, [0, 1]);
  assert.equal((await framesOfPlaces(viewer))[2], 0, 'there is a picture of nobody');
  await ada.getByRole('button', { name: 'Leave' }).click();
  await waitPlaces(viewer, [1]);
  const eve = await enter(await person(browser), room, 'Eve');
  await waitPlaces(viewer, [0, 1]);
  await stop(viewer);
  for (const page of [bob, eve])
    await page.getByRole('button', { name: 'Leave' }).click();
});

test('who has no credentials is told so, across sites too', async () => {
  const camera = await studioPage();
  const status = await camera.evaluate(async endpoint => {
    const reply = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', Authorization: 'Bearer wrong' },
      body: 'v=0',
    });
    return `${reply.status} ${await reply.text()}`;
  }, `${server.origin}/group/guarded/.whip`);
  assert.equal(status.trim(), '401 not authorised');
  await assert.rejects(
    publish(camera, `${server.origin}/group/guarded/.whip`, `${token}-studio`),
    /401/,
  );
  await publish(camera, `${server.origin}/group/guarded/.whip`, `${token}-guarded`);
  await stop(camera);
});
