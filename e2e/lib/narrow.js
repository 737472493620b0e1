// A narrow path from the server to a page: all media on the way there goes through a relay
// that lets so many bits through in a second, and queues the rest.

import dgram from 'node:dgram';
import { once } from 'node:events';

/** @import { BrowserContext } from 'playwright-core' */

/** Longest queue, in milliseconds at the present rate; what comes then is lost. */
const LONGEST = 4000;

/**
 * @typedef {object} Narrow
 * @property {(rate: number) => void} limit Sets how many bits per second are let through.
 * @property {() => void} stop
 */

/**
 * Leads the media that pages of a context receive through a relay. The pages may not send any.
 *
 * @param {BrowserContext} context
 * @returns {Promise<Narrow>}
 */
export async function narrow(context) {
  let rate = Infinity;
  let free = 0; // when the path has sent what is queued
  /** @type {Set<dgram.Socket>} */
  const sockets = new Set();
  const open = async () => {
    const socket = dgram.createSocket('udp4');
    sockets.add(socket);
    socket.bind();
    await once(socket, 'listening');
    return socket;
  };
  /**
   * @param {() => void} send
   * @param {number} octets that it sends
   */
  const queue = (send, octets) => {
    const now = performance.now();
    const start = Math.max(now, free);
    if (start - now > LONGEST) return;
    free = start + (octets * 8000) / rate;
    if (free - now < 1) send();
    else setTimeout(send, free - now);
  };

  /** @type {Map<string, Promise<number>>} */
  const ports = new Map(); // of the relay, by the server's address
  /**
   * @param {string} address of the server
   * @param {number} port
   */
  const relay = async (address, port) => {
    const front = await open();
    /** @type {Map<string, Promise<dgram.Socket>>} */
    const backs = new Map();
    front.on('message', async (packet, from) => {
      const key = `${from.address} ${from.port}`;
      const make = async () => {
        const back = await open();
        back.on('message', reply =>
          queue(() => {
            if (sockets.has(front)) front.send(reply, from.port, from.address);
          }, reply.length),
        );
        return back;
      };
      const back = backs.get(key) ?? make();
      backs.set(key, back);
      const socket = await back;
      if (sockets.has(socket)) socket.send(packet, port, address);
    });
    return front.address().port;
  };
  await context.exposeFunction(
    'testRelay',
    (/** @type {string} */ address, /** @type {number} */ port) => {
      const key = `${address} ${port}`;
      const known = ports.get(key) ?? relay(address, port);
      ports.set(key, known);
      return known;
    },
  );
  await context.addInitScript(takeRelay);
  return {
    limit: limit => (rate = limit),
    stop: () => {
      for (const socket of sockets) socket.close();
      sockets.clear();
    },
  };
}

/** Runs in the page, before its own scripts: the only address that each side learns is the relay's. */
function takeRelay() {
  const prototype = RTCPeerConnection.prototype;
  const { addIceCandidate } = prototype;
  /**
   * @this {RTCPeerConnection}
   * @param {RTCIceCandidateInit} init
   */
  prototype.addIceCandidate = async function (init) {
    const parts = (init.candidate ?? '').split(' ');
    if (parts[2]?.toLowerCase() !== 'udp' || parts[4]?.includes(':')) return;
    // @ts-expect-error - see narrow
    parts[5] = await window.testRelay(parts[4], Number(parts[5]));
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
