// The pages below the path of a reverse proxy, which shows nothing of the server elsewhere.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, person } from './lib/browser.js';
import { startProxy } from './lib/proxy.js';
import { enter, sendChat, waitText } from './lib/room.js';
import { startServerOn } from './lib/server.js';

/** @import { Browser } from 'playwright-core' */

/** @type {Awaited<ReturnType<typeof startProxy>>} */
let proxy;
/** @type {Awaited<ReturnType<typeof startServerOn>>} */
let server;
/** @type {Browser} */
let browser;

before(async () => {
  proxy = await startProxy('/some/meet');
  const anybody = { password: { type: 'wildcard' }, permissions: 'present' };
  [server, browser] = await Promise.all([
    startServerOn({
      settings: { proxyURL: `${proxy.url}/`, trustedProxies: ['127.0.0.1'] },
      groups: { room: { public: true, 'wildcard-user': anybody } },
    }),
    launch(),
  ]);
  proxy.target = server.origin;
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await server?.stop();
});

test('people find a group, meet, and come back to the start', async () => {
  const context = await person(browser, { locale: 'fr-FR' });
  const start = await context.newPage();
  await start.goto(`${proxy.url}/`);
  await start.getByText('room').first().click();
  await start.waitForURL(`${proxy.url}/group/room/`);
  await start.getByRole('button', { name: 'Rejoindre', exact: true }).waitFor();

  const ada = await enter(await person(browser), `${proxy.url}/group/room/`, 'Ada');
  const grace = await enter(await person(browser), `${proxy.url}/group/room/`, 'Grace');
  await sendChat(ada, 'Below a path.');
  await waitText(grace, 'Below a path.');
  await ada.getByRole('button', { name: 'Leave' }).click();
  await ada.getByRole('link', { name: 'Home page' }).click();
  await ada.waitForURL(`${proxy.url}/`);
  assert.deepEqual(proxy.missed(), []);
});
