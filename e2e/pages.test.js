// Every screen, in several sizes, colours and languages: looked at by axe-core, and
// photographed into e2e/output for people to look at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { launch, person } from './lib/browser.js';
import { enter, sendChat } from './lib/room.js';
import { startServer } from './lib/server.js';

/** @import { Browser, BrowserContextOptions, Page } from 'playwright-core' */
/** @import { Server } from './lib/server.js' */

const axe = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);
const output = path.join(import.meta.dirname, 'output');

/** @type {{ name: string, options: BrowserContextOptions }[]} */
const looks = [
  {
    name: 'desktop-light-en',
    options: { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  },
  {
    name: 'phone-dark-fr',
    options: {
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      locale: 'fr-FR',
      hasTouch: true,
    },
  },
  {
    name: 'small-light-en',
    options: { viewport: { width: 320, height: 568 }, colorScheme: 'light' },
  },
];

/** Names of controls, by language. */
const words = {
  en: { join: 'Join', leave: 'Leave', chat: /^Chat/, people: /^People/, more: 'More' },
  fr: {
    join: 'Rejoindre',
    leave: 'Quitter',
    chat: /^Discussion/,
    people: /^Participants/,
    more: 'Plus',
  },
};

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;

before(async () => {
  await mkdir(output, { recursive: true });
  [server, browser] = await Promise.all([startServer(), launch()]);
  const ada = await enter(await person(browser), server.url, 'Ada Lovelace');
  await sendChat(ada, 'Good morning! The agenda is at https://example.org/agenda');
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/**
 * Nothing that axe-core finds wrong, nothing wider than the window, and a picture.
 *
 * @param {Page} page
 * @param {string} name
 */
async function examine(page, name) {
  await page.screenshot({ path: path.join(output, `${name}.png`) });
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    /** @type {import('axe-core').AxeResults} */
    // @ts-expect-error - axe was put there the line before
    const results = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return results.violations.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(node => `${node.html}: ${node.failureSummary}`),
    }));
  });
  assert.deepEqual(violations, [], `axe-core on ${name}`);
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
}

for (const { name, options } of looks) {
  test(`screens are whole and accessible: ${name}`, async () => {
    const say = options.locale === 'fr-FR' ? words.fr : words.en;
    const context = await person(browser, options);
    const page = await context.newPage();

    await page.goto(server.origin);
    await page.locator('a[href*="/group/demo/"]').waitFor();
    await examine(page, `landing-${name}`);

    await page.goto(`${server.origin}/nothing/here`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await examine(page, `missing-${name}`);

    await page.goto(server.url);
    const field = page.locator('input[name="username"]');
    await field.waitFor();
    await page.waitForFunction(() => document.querySelector('video')?.videoWidth);
    await examine(page, `door-${name}`);

    await field.fill('operator');
    await page.getByRole('button', { name: say.join, exact: true }).click();
    await page.locator('input[name="password"]').waitFor({ state: 'visible' });
    await examine(page, `password-${name}`);

    await page.locator('input[name="password"]').fill(server.operator.password);
    await page.getByRole('button', { name: say.join, exact: true }).click();
    await page.getByRole('button', { name: say.leave }).waitFor();
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll('video')].filter(v => v.videoWidth > 2).length >= 2,
    );
    await examine(page, `meeting-${name}`);

    await page.getByRole('button', { name: say.chat }).click();
    await examine(page, `chat-${name}`);
    await page.keyboard.press('Escape');
    const people = page.getByRole('button', { name: say.people });
    if (await people.isVisible()) {
      await people.click();
    } else {
      await page.getByRole('button', { name: say.more, exact: true }).click();
      await page.getByRole('menuitem', { name: say.people }).click();
    }
    await page
      .getByRole('listitem')
      .filter({ hasText: 'Ada Lovelace' })
      .first()
      .waitFor();
    await examine(page, `people-${name}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: say.more, exact: true }).click();
    await examine(page, `more-${name}`);
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: say.leave }).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await examine(page, `left-${name}`);
    await context.close();
  });
}

const statistics = [
  {
    name: 'demo',
    clients: [
      {
        id: 'a1b2c3d4e5f60718293a4b5c6d7e8f90',
        up: [
          {
            id: 'f00d',
            tracks: [
              { bitrate: 31000, maxBitrate: 64000, loss: 0.0123, jitter: 1.25 },
              { bitrate: 1200000, loss: 0 },
            ],
          },
        ],
        down: [
          {
            id: 'beef',
            maxBitrate: 512000,
            tracks: [
              { bitrate: 700000, rtt: 23.4, sid: 1, maxSid: 2, tid: 0, maxTid: 2 },
            ],
          },
        ],
      },
      { id: 'a-recorder' },
    ],
  },
  { name: 'empty' },
];

for (const { name, options } of looks) {
  test(`statistics are whole and accessible: ${name}`, async () => {
    const context = await person(browser, options);
    const page = await context.newPage();
    // The demonstration has no administrator.
    const file = path.join(import.meta.dirname, '..', 'static', 'stats.html');
    await page.route('**/stats.html', route => route.fulfill({ path: file }));
    await page.route('**/stats.json', route => route.fulfill({ json: statistics }));
    await page.goto(`${server.origin}/stats.html`);
    await page.getByRole('row').filter({ hasText: 'f00d' }).first().waitFor();
    assert.equal(await page.getByRole('row').count(), 1 + 4); // a group without clients has no table
    await examine(page, `stats-${name}`);
    const pause = page.locator('.stats-head button');
    const text = await pause.textContent();
    await pause.click();
    assert.notEqual(await pause.textContent(), text);
    await context.close();
  });
}
