// What the tests of a camera in several sizes begin with.

import { launch } from './browser.js';
import { enter } from './room.js';
import { startServerOn } from './server.js';
import { countNegotiations } from './watch.js';

/** @import { Browser, BrowserContext, Page } from 'playwright-core' */

const everybody = { password: { type: 'wildcard' }, permissions: 'present' };

/**
 * @returns {Promise<Browser>} A browser whose cameras have fewer frames: that leaves a small machine
 *   time for three encoders.
 */
export const launchSlow = () => launch(['--use-fake-device-for-media-stream=fps=15']);

/**
 * @param {string[]} codecs
 * @returns {ReturnType<typeof startServerOn>} A server with a group for each codec, named after it.
 */
export function startServerOf(codecs) {
  return startServerOn({
    groups: Object.fromEntries(
      codecs.map(codec => [
        codec,
        { codecs: [codec, 'opus'], 'wildcard-user': everybody },
      ]),
    ),
  });
}

/**
 * Somebody comes to a group with these settings.
 *
 * @param {BrowserContext} context
 * @param {string} url
 * @param {string} name
 * @param {object} settings
 * @returns {Promise<Page>}
 */
export async function come(context, url, name, settings) {
  await context.addInitScript(countNegotiations);
  await context.addInitScript(
    text => localStorage.setItem('galene.settings', text),
    JSON.stringify(settings),
  );
  return enter(context, url, name);
}
