/** @import { ClientMessage, GroupMessageType, Handlers, ServerMessage } from './messages.js' */
import { decode, newID, VERSION } from './messages.js';

/** Silence in milliseconds after which the connection asks for a sign of life. */
export const PING_AFTER = 5000;
/** Milliseconds that the answer to a ping may take before the socket counts as dead. */
export const PONG_WITHIN = 7000;
/**
 * The same when the network is another one now: what was on its way in the old one never
 * arrives, and the system takes a quarter of an hour to say so.
 */
export const PONG_AFTER_CHANGE = 1500;
/** Milliseconds that the server may take to accept the socket and shake hands. */
export const OPEN_WITHIN = 8000;
const TICK = 250;

/**
 * Why a connection is over: `closed` by the other side, `timeout` when nothing came any
 * more, `failed` before it was of any use, `protocol` when it spoke nonsense.
 *
 * @typedef {object} End
 * @property {'closed' | 'timeout' | 'failed' | 'protocol'} cause
 * @property {number} code WebSocket close code; 0 if there was none
 * @property {string} reason
 */

/**
 * The part of WebSocket that a connection uses; a test hands in its own.
 *
 * @typedef {Pick<WebSocket, 'send' | 'close' | 'addEventListener' | 'readyState'>} Socket
 */

/**
 * @typedef {object} ConnectionOptions
 * @property {string} url
 * @property {Handlers<GroupMessageType>} handlers
 * @property {() => void} onopen the handshake is done, messages may be sent
 * @property {(end: End) => void} onend called once, also when it never opened
 * @property {(url: string) => Socket} [socket]
 * @property {() => number} [now] milliseconds, monotonic
 */

/**
 * One WebSocket to the server: handshake, framing, liveness. It is used once; whoever
 * wants to reconnect makes a new one.
 *
 *     opening ──handshake──▶ open ──close()──▶ over
 *        └────────── failure, silence ──────────▲
 */
export class Connection {
  /** This client's identifier, new for each connection. */
  id = newID();

  /** @type {'opening' | 'open' | 'over'} */
  #state = 'opening';
  #options;
  #now;
  #socket;
  #timer;
  #lastHeard;
  /** Until when the ping must be answered that is on its way; null if there is none. */
  #deadline = /** @type {number | null} */ (null);

  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#lastHeard = this.#now();
    this.#socket = (options.socket ?? (url => new WebSocket(url)))(options.url);
    this.#socket.addEventListener('open', () => {
      this.#transmit({ type: 'handshake', version: [VERSION], id: this.id });
    });
    this.#socket.addEventListener('message', e => this.#receive(decode(e.data)));
    this.#socket.addEventListener('close', e => {
      const cause = this.#state === 'opening' ? 'failed' : 'closed';
      this.#finish({ cause, code: e.code, reason: e.reason });
    });
    this.#timer = setInterval(() => this.#check(), TICK);
  }

  /** Whether messages can be sent. */
  get open() {
    return this.#state === 'open';
  }

  /**
   * Sends a message, unless the connection is not open.
   *
   * @param {ClientMessage} message
   * @returns {boolean} whether it went out
   */
  send(message) {
    if (this.#state !== 'open' || this.#socket.readyState !== 1) return false;
    this.#transmit(message);
    return true;
  }

  /** Ends the connection; `onend` is not called for it. */
  close() {
    if (this.#state === 'over') return;
    this.#over();
  }

  /**
   * Looks for a sign of life at once.
   *
   * @param {number} [within] milliseconds that the answer may take
   */
  probe(within = PONG_WITHIN) {
    if (this.#state !== 'open') return;
    const deadline = this.#now() + within;
    if (this.#deadline === null) this.#transmit({ type: 'ping' });
    this.#deadline = Math.min(this.#deadline ?? deadline, deadline);
  }

  /** @param {ClientMessage} message */
  #transmit(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** @param {ServerMessage | null} message */
  #receive(message) {
    if (this.#state === 'over') return;
    this.#lastHeard = this.#now();
    this.#deadline = null;
    if (message === null) {
      this.#finish({ cause: 'protocol', code: 0, reason: '' });
      return;
    }
    switch (message.type) {
      case 'handshake':
        if (this.#state === 'opening') {
          this.#state = 'open';
          this.#options.onopen();
        }
        return;
      case 'ping':
        this.send({ type: 'pong' });
        return;
      case 'pong':
        return;
      default:
        this.#dispatch(message);
    }
  }

  /** @param {Extract<ServerMessage, { type: GroupMessageType }>} message */
  #dispatch(message) {
    const { handlers } = this.#options;
    if (!Object.hasOwn(handlers, message.type)) return;
    const handle = /** @type {(m: ServerMessage) => void} */ (handlers[message.type]);
    handle(message);
  }

  /** Timers are held back in hidden pages and in sleep, so silence alone proves nothing. */
  #check() {
    const now = this.#now();
    if (this.#state === 'opening') {
      if (now - this.#lastHeard >= OPEN_WITHIN) this.#lose();
    } else if (this.#deadline !== null) {
      if (now >= this.#deadline) this.#lose();
    } else if (now - this.#lastHeard >= PING_AFTER) {
      this.probe();
    }
  }

  #lose() {
    this.#finish({ cause: 'timeout', code: 0, reason: '' });
  }

  /** @param {End} end */
  #finish(end) {
    if (this.#state === 'over') return;
    this.#over();
    this.#options.onend(end);
  }

  #over() {
    this.#state = 'over';
    clearInterval(this.#timer);
    this.#socket.close();
  }
}
