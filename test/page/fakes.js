/** @import { Socket } from '../../static/js/protocol/connection.js' */

/**
 * A WebSocket without a network: the test plays the server.
 *
 * @implements {Socket}
 */
export class FakeSocket extends EventTarget {
  /** @type {0 | 1 | 2 | 3} */
  readyState = 0;
  /** @type {import('../../static/js/protocol/messages.js').ClientMessage[]} */
  sent = [];

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  /** The server accepts, and shakes hands. */
  accept() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
    this.receive({ type: 'handshake', version: ['2'] });
  }

  /** @param {unknown} message */
  receive(message) {
    this.deliver(JSON.stringify(message));
  }

  /** @param {unknown} frame */
  deliver(frame) {
    this.dispatchEvent(new MessageEvent('message', { data: frame }));
  }

  /**
   * The server is gone.
   *
   * @param {number} code
   * @param {string} reason
   */
  drop(code = 1006, reason = '') {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }

  /** @param {string} type */
  sentOf(type) {
    return this.sent.filter(m => m.type === type);
  }
}

/**
 * Handlers that write down what they are called with.
 *
 * @param {unknown[]} log
 */
export function recorder(log) {
  const types = /** @type {const} */ ([
    'joined',
    'user',
    'chat',
    'chathistory',
    'usermessage',
    'offer',
    'answer',
    'ice',
    'renegotiate',
    'close',
    'abort',
  ]);
  /** @param {unknown} m */
  const write = m => void log.push(m);
  const entries = types.map(type => /** @type {const} */ ([type, write]));
  return /** @type {Record<(typeof types)[number], typeof write>} */ (
    Object.fromEntries(entries)
  );
}
