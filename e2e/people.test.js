// What people do besides seeing each other: whisper, moderate, manage without a mouse,
// come without a camera, and live through a server's restart.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { launch, person, received, waitReceived } from './lib/browser.js';
import { enter, openChat, sendChat, waitText } from './lib/room.js';
import { startServer } from './lib/server.js';
import { setStage } from './lib/stage.js';

const stage = setStage();

test('a private message reaches one person only', async () => {
  const ada = await enter(await person(stage.browser), stage.server.url, 'Ada');
  const grace = await enter(await person(stage.browser), stage.server.url, 'Grace');
  const joan = await enter(await person(stage.browser), stage.server.url, 'Joan');
  await openChat(ada);
  await ada.getByRole('combobox', { name: 'To' }).selectOption({ label: 'Grace' });
  await sendChat(ada, 'Only for you.');
  await waitText(grace, 'Only for you.');
  await grace.getByRole('log').getByText('Private, to you').waitFor();

  await ada.getByRole('combobox', { name: 'To' }).selectOption({ label: 'Everyone' });
  await sendChat(ada, 'For all of you.');
  await waitText(joan, 'For all of you.');
  assert.equal(await joan.getByText('Only for you.').count(), 0);
  await Promise.all([ada, grace, joan].map(page => page.context().close()));
});

test('an operator locks the group and removes somebody, who is told', async () => {
  const host = await person(stage.browser);
  const guest = await person(stage.browser);
  const { username, password } = stage.server.operator;
  const operator = await enter(host, stage.server.url, username, password);
  const grace = await enter(guest, stage.server.url, 'Grace');

  await operator.getByRole('button', { name: 'More', exact: true }).click();
  await operator.getByRole('menuitem', { name: 'Lock the group' }).click();

  const outside = await person(stage.browser);
  const joan = await outside.newPage();
  await joan.goto(stage.server.url);
  await joan.getByLabel('Your name').fill('Joan');
  await joan.getByRole('button', { name: 'Join', exact: true }).click();
  await joan
    .getByText(/locked/i)
    .first()
    .waitFor();

  await operator.getByRole('button', { name: 'More', exact: true }).click();
  await operator.getByRole('menuitem', { name: 'Unlock the group' }).click();
  await joan.getByRole('button', { name: 'Leave' }).waitFor();

  await operator.getByRole('button', { name: /^People/ }).click();
  await operator
    .getByRole('listitem')
    .filter({ hasText: 'Grace' })
    .getByRole('button')
    .click();
  await operator.getByRole('menuitem', { name: /^Remove/ }).click();
  await operator
    .getByRole('dialog')
    .getByRole('button', { name: /^Remove/ })
    .click();
  await grace.getByRole('heading', { name: /removed you from the meeting/ }).waitFor();
  await operator
    .locator('[data-member-id]', { hasText: 'Grace' })
    .first()
    .waitFor({ state: 'detached' });
  await Promise.all([host, guest, outside].map(context => context.close()));
});

test('the whole way in and out takes no mouse', async () => {
  const context = await person(stage.browser);
  const page = await context.newPage();
  await page.goto(stage.server.origin);
  await page.getByRole('link', { name: /Demo/ }).waitFor();
  await focusByTab(page, 'link', /Demo/);
  await page.keyboard.press('Enter');

  await page.getByLabel('Your name').waitFor();
  await focusByTab(page, 'textbox', /Your name/);
  await page.keyboard.type('Ada');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Leave' }).waitFor();

  // Firefox has buttons of its own in pictures.
  await page.locator('video').first().waitFor();
  assert.equal(await page.locator('video:not([tabindex="-1"])').count(), 0);
  await focusByTab(page, 'button', /^Mute$/);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Unmute' }).waitFor();

  await page.keyboard.press('c');
  await page.getByRole('textbox', { name: 'Write a message' }).waitFor();
  await page.keyboard.type('Typed, not clicked.');
  await page.keyboard.press('Enter');
  await page.getByRole('log').getByText('Typed, not clicked.').waitFor();
  await page.keyboard.press('Escape');

  await focusByTab(page, 'button', /^Leave$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'You have left the meeting' }).waitFor();
  await context.close();
});

/**
 * Presses Tab until the control is focused.
 *
 * @param {import('playwright-core').Page} page
 * @param {'link' | 'button' | 'textbox'} role
 * @param {RegExp} name
 */
async function focusByTab(page, role, name) {
  const wanted = page.getByRole(role, { name }).first();
  for (let i = 0; i < 60; i++) {
    if (await wanted.evaluate(element => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach ${role} ${name}`);
}

test('who has no camera or microphone is told so and joins all the same', async () => {
  const bare = await launch(['--use-fake-device-for-media-stream=device-count=0']);
  try {
    const ada = await enter(await person(stage.browser), stage.server.url, 'Ada');
    const context = await person(bare);
    const page = await context.newPage();
    await page.goto(stage.server.url);
    await page
      .getByText(/No camera was found/)
      .first()
      .waitFor();
    await page.getByLabel('Your name').fill('Grace');
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await page.getByRole('button', { name: 'Leave' }).waitFor();
    await waitReceived(
      page,
      r => r.framesDecoded > 0 && r.audioPackets > 0,
      'sees nobody',
    );
    await ada.locator('[data-member-id]', { hasText: 'Grace' }).first().waitFor();
    await ada.context().close();
  } finally {
    await bare.close();
  }
});

test('after the server has restarted, everybody is back without doing anything', async () => {
  const first = await startServer();
  const contexts = await Promise.all([person(stage.browser), person(stage.browser)]);
  const ada = await enter(contexts[0], first.url, 'Ada');
  const grace = await enter(contexts[1], first.url, 'Grace');
  await sendChat(ada, 'Before the crash.');
  await waitText(grace, 'Before the crash.');
  await waitReceived(grace, r => r.framesDecoded > 0, 'no picture before the crash');

  first.kill();
  await grace
    .getByText(/Reconnecting/)
    .first()
    .waitFor();
  const second = await startServer({ http: new URL(first.origin).host });
  try {
    await sendLater(ada, 'After the crash.');
    await waitText(grace, 'After the crash.');
    await waitText(grace, 'Before the crash.');
    const sofar = await received(grace);
    await waitReceived(
      grace,
      r =>
        r.framesDecoded > sofar.framesDecoded + 10 &&
        r.audioPackets > sofar.audioPackets + 20,
      'no picture or sound after the crash',
    );
    await Promise.all(contexts.map(context => context.close()));
  } finally {
    await second.stop();
  }
});

/**
 * Sends a message once the page is connected again.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} text
 */
async function sendLater(page, text) {
  await page
    .getByText(/Reconnecting/)
    .first()
    .waitFor({ state: 'hidden', timeout: 60_000 });
  await page.getByRole('textbox', { name: 'Write a message' }).waitFor();
  await sendChat(page, text);
}
