// What most tests begin with: a server with one group, and a browser.

import { after, before } from 'node:test';

import { launch } from './browser.js';
import { startServer } from './server.js';

/** @import { Browser } from 'playwright-core' */
/** @import { Server } from './server.js' */

/**
 * @returns {{ server: Server, browser: Browser }} What all tests of a file share, from the first to
 *   the last.
 */
export function setStage() {
  const stage = /** @type {{ server: Server, browser: Browser }} */ ({});
  before(async () => {
    [stage.server, stage.browser] = await Promise.all([startServer(), launch()]);
  });
  after(async () => {
    await stage.browser?.close();
    await stage.server?.stop();
  });
  return stage;
}
