// A site of somebody else's, whose pages publish and watch with clients from elsewhere.

import { once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const clients = path.dirname(createRequire(import.meta.url).resolve('whip-whep/whip.js'));

const page = `<!doctype html>
<title>Studio</title>
<video muted autoplay playsinline></video>
<script type="module">
  import { WHIPClient } from './whip.js';
  import { WHEPClient } from './whep.js';
  Object.assign(window, { WHIPClient, WHEPClient });
</script>`;

/**
 * Serves the page at `/`, and the modules of the clients.
 *
 * @returns {Promise<{ origin: string, stop: () => Promise<void> }>}
 */
export async function startStudio() {
  const server = http.createServer((request, response) => {
    const name = request.url?.slice(1) ?? '';
    if (!['whip.js', 'whep.js'].includes(name)) {
      response.setHeader('Content-Type', 'text/html').end(page);
      return;
    }
    response.setHeader('Content-Type', 'text/javascript');
    fs.readFile(path.join(clients, name)).then(
      text => response.end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    origin: `http://localhost:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
