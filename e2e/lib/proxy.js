// A reverse proxy that shows a server below a path.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';

/**
 * Starts a proxy that shows what is at `target` below a path, and nothing else.
 *
 * @param {string} prefix of paths, without a slash at its end.
 * @returns {Promise<{ url: string, target: string, missed: () => string[], stop: () => Promise<void> }>}
 * `missed` lists the paths that were asked for elsewhere.
 */
export async function startProxy(prefix) {
  const proxy = { target: '', url: '' };
  /** @type {string[]} */
  const missed = [];

  /** @param {http.IncomingMessage} request */
  const forward = request => {
    const { hostname, port } = new URL(proxy.target);
    return https.request({
      hostname,
      port,
      method: request.method,
      path: (request.url ?? '').slice(prefix.length),
      headers: request.headers,
      rejectUnauthorized: false,
    });
  };

  const server = http.createServer((request, response) => {
    if (!request.url?.startsWith(`${prefix}/`)) {
      missed.push(request.url ?? '');
      response.writeHead(404).end();
      return;
    }
    const inner = forward(request);
    inner.on('response', reply => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    inner.on('error', () => response.destroy());
    request.pipe(inner);
  });
  server.on('upgrade', (request, socket) => {
    const inner = forward(request);
    inner.on('upgrade', (reply, stream) => {
      const lines = [`HTTP/1.1 101 ${reply.statusMessage}`];
      for (let i = 0; i < reply.rawHeaders.length; i += 2)
        lines.push(`${reply.rawHeaders[i]}: ${reply.rawHeaders[i + 1]}`);
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      stream.pipe(socket).pipe(stream);
      stream.on('error', () => socket.destroy());
      socket.on('error', () => stream.destroy());
    });
    inner.on('response', () => socket.destroy());
    inner.on('error', () => socket.destroy());
    inner.end();
  });

  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  server.on('connection', socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  proxy.url = `http://127.0.0.1:${address.port}${prefix}`;
  return Object.assign(proxy, {
    missed: () => missed,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy(); // WebSockets among them
      await closed;
    },
  });
}
