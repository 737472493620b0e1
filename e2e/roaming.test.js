// A person whose address changes in the middle of a meeting.

import { test } from 'node:test';

import { person, received, waitReceived } from './lib/browser.js';
import { lossy } from './lib/lossy.js';
import { enter } from './lib/room.js';
import { setStage } from './lib/stage.js';

const stage = setStage();

test('sound goes on, both ways, when a NAT shows a page at another port', async t => {
  const [behind, open] = [await person(stage.browser), await person(stage.browser)];
  const path = await lossy(behind, () => false);
  t.after(path.end);
  const pages = [
    await enter(behind, stage.server.url, 'Ada'),
    await enter(open, stage.server.url, 'Grace'),
  ];
  // Sound takes no time to decode, however busy the machine is.
  const seen = pages.map(page =>
    waitReceived(page, r => r.audioPackets > 50, 'no sound at first'),
  );
  await Promise.all(seen);

  path.rebind();
  await new Promise(resolve => setTimeout(resolve, 500)); // what is on its way arrives
  const begun = Date.now();
  const again = pages.map(async page => {
    const more = (await received(page)).audioPackets + 25;
    await waitReceived(page, r => r.audioPackets > more, 'it is silent', 15_000);
    return Date.now() - begun;
  });
  const took = await Promise.all(again);
  t.diagnostic(`back after ${took.join(' and ')} ms`);
});
