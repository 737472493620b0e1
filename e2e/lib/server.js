// A Galène server of its own for each test, on a port that the system chooses.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';

const program = path.resolve(import.meta.dirname, '../../galene');

/**
 * A running demonstration server.
 *
 * @typedef {object} Server
 * @property {string} url The address of the group `demo`.
 * @property {string} origin Scheme, host and port.
 * @property {{ username: string, password: string }} operator
 * @property {() => Promise<void>} stop Ends the server and waits for it.
 * @property {() => void} kill Ends it at once, as a crash would.
 * @property {() => string} log What it has logged so far.
 */

/**
 * Starts `galene -demo` and waits until it says where it is.
 *
 * @param {{ http?: string }} [options]
 * @returns {Promise<Server>}
 */
export async function startServer({ http = '127.0.0.1:0' } = {}) {
  const child = spawn(program, ['-demo', '-http', http], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', chunk => (log += chunk));
  const ended = once(child, 'exit');

  let url = '';
  let password = '';
  for await (const line of readline.createInterface({ input: child.stdout })) {
    url ||= line.match(/https:\S+/)?.[0] ?? '';
    password ||= line.match(/password (\S+)/)?.[1] ?? '';
    if (url && password) break;
  }
  if (!url) throw new Error(`galene -demo said no address:\n${log}`);
  child.stdout.resume();

  return {
    url,
    origin: new URL(url).origin,
    operator: { username: 'operator', password },
    log: () => log,
    kill: () => void child.kill('SIGKILL'),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
