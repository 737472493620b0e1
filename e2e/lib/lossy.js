// A bad path between the server and a page: all media, both ways, goes through a relay that
// loses some of it, and that may show the page at another address, as a NAT does.

import dgram from 'node:dgram';
import { once } from 'node:events';

/** @import { BrowserContext } from 'playwright-core' */

/**
 * A path that packets of a page take.
 *
 * @typedef {object} Path
 * @property {() => void} end Nothing comes through any more.
 * @property {() => void} rebind What the page sends from now on comes from other ports, and
 * nothing that is sent to those it had reaches it.
 */

/**
 * Leads the media of a context's pages through a relay.
 *
 * @param {BrowserContext} context
 * @param {() => boolean} loses Asked for each packet of media.
 * @returns {Promise<Path>}
 */
export async function lossy(context, loses) {
  /** @type {dgram.Socket[]} */
  const sockets = [];
  /** @type {Set<Map<string, Promise<dgram.Socket>>>} */
  const bindings = new Set(); // of each of the server's addresses, by the page's
  let ended = false;
  const open = async () => {
    const socket = dgram.createSocket('udp4');
    sockets.push(socket);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
  };
  /**
   * @param {dgram.Socket} socket
   * @param {Buffer} packet
   * @param {number} port
   * @param {string} address
   */
  const pass = (socket, packet, port, address) => {
    // What is no media sets the connection up (RFC 7983).
    const first = packet[0] ?? 0;
    if (!ended && !(first >= 128 && first < 192 && loses()))
      socket.send(packet, port, address);
  };
  /**
   * @param {string} address of the server
   * @param {number} port
   */
  const relay = async (address, port) => {
    const front = await open();
    /** @type {Map<string, Promise<dgram.Socket>>} */
    const backs = new Map();
    bindings.add(backs);
    front.on('message', async (packet, from) => {
      const key = `${from.address} ${from.port}`;
      const make = async () => {
        const back = await open();
        back.on('message', async reply => {
          if ((await backs.get(key)) === back)
            pass(front, reply, from.port, from.address);
        });
        return back;
      };
      const back = backs.get(key) ?? make();
      backs.set(key, back);
      pass(await back, packet, port, address);
    });
    return front.address().port;
  };
  /** @type {Map<string, Promise<number>>} */
  const relays = new Map(); // by the server's address
  await context.exposeFunction(
    'testLossyRelay',
    (/** @type {string} */ address, /** @type {number} */ port) => {
      const key = `${address} ${port}`;
      const known = relays.get(key) ?? relay(address, port);
      relays.set(key, known);
      return known;
    },
  );
  await context.addInitScript(knowRelayOnly);
  return {
    end: () => {
      ended = true;
      for (const socket of sockets) socket.close();
    },
    rebind: () => bindings.forEach(backs => backs.clear()),
  };
}

/** Runs in the page, before its own scripts: each side learns the relay's addresses only. */
function knowRelayOnly() {
  const { addIceCandidate } = RTCPeerConnection.prototype;
  /**
   * @this {RTCPeerConnection}
   * @param {RTCIceCandidateInit} init
   */
  RTCPeerConnection.prototype.addIceCandidate = async function (init) {
    const parts = (init.candidate ?? '').split(' ');
    if (parts[2]?.toLowerCase() !== 'udp' || parts[4]?.includes(':')) return;
    // @ts-expect-error - see lossy
    parts[5] = await window.testLossyRelay(parts[4], Number(parts[5]));
    parts[4] = '127.0.0.1';
    const candidate = parts.join(' ');
    await Reflect.apply(addIceCandidate, this, [{ ...init, candidate }]);
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    const message = JSON.parse(String(data));
    if (message.type === 'ice') return;
    if (message.sdp) message.sdp = message.sdp.replaceAll(/a=candidate:.*\r\n/gu, '');
    send.call(this, JSON.stringify(message));
  };
}
