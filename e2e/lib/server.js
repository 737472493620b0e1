// A Galène server of its own for each test, on a port that the system chooses.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
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

/**
 * What a server that is not a demonstration finds on disk.
 *
 * @typedef {object} Files
 * @property {object} [settings] `config.json`.
 * @property {Record<string, object>} groups Definitions by name.
 * @property {object[]} [tokens] The lines of the file of tokens.
 */

/**
 * Starts `galene` on a directory of its own, and waits until it listens.
 *
 * @param {Files} files
 * @returns {Promise<{ origin: string, stop: () => Promise<void>, log: () => string }>}
 */
export async function startServerOn({ settings = {}, groups, tokens = [] }) {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'galene-e2e-'));
  const [data, definitions] = [
    path.join(directory, 'data'),
    path.join(directory, 'groups'),
  ];
  await fs.mkdir(path.join(data, 'var'), { recursive: true, mode: 0o700 });
  await fs.mkdir(definitions, { mode: 0o700 });
  await fs.writeFile(path.join(data, 'config.json'), JSON.stringify(settings));
  await fs.writeFile(
    path.join(data, 'var', 'tokens.jsonl'),
    tokens.map(token => `${JSON.stringify(token)}\n`).join(''),
    { mode: 0o600 },
  );
  for (const [name, definition] of Object.entries(groups))
    await fs.writeFile(
      path.join(definitions, `${name}.json`),
      JSON.stringify(definition),
    );

  const child = spawn(
    program,
    [
      '-data',
      data,
      '-groups',
      definitions,
      '-http',
      '127.0.0.1:0',
      '-loopback',
      '-turn',
      '',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'exit');
  let log = '';
  const address = await new Promise((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', chunk => {
      log += chunk;
      const found = log.match(/msg=listening .*address=(\S+)/)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`galene has ended:\n${log}`)));
  });
  return {
    origin: `https://${address}`,
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await fs.rm(directory, { recursive: true });
    },
  };
}
