/** @import { Connection, ConnectionOptions, End } from '../protocol/connection.js' */
/** @import { ClientMessage, GroupMessageType, GroupStatus, Handlers, Joined, JoinedFail } from '../protocol/messages.js' */
/** @import { RequestMap } from '../protocol/messages.js' */
/** @import { Chat } from './chat.js' */
/** @import { LocalMedia } from './local-media.js' */
/** @import { Notices } from './notices.js' */
/** @import { Publisher } from './publisher.js' */
/** @import { Roster } from './roster.js' */
/** @import { Credential, Ending } from './session-state.js' */
/** @import { Subscriber } from './subscriber.js' */
import { PONG_AFTER_CHANGE } from '../protocol/connection.js';
import { backoff } from './backoff.js';
import { failureOf, passes } from './failure.js';
import { initial } from './session-state.js';
import { Store } from './store.js';
import { clean } from './text.js';
import { tellRights, told } from './told.js';

/** Milliseconds after which a connection counts as one that works. */
const STEADY = 10000;
/** Milliseconds between two tries to enter a group that is closed for the moment. */
const KNOCK = { first: 5000, limit: 30000 };
/** Milliseconds between two tries to come back: nobody shall wait long for a server that is there. */
const RETURN = { first: 600, limit: 5000 };

/**
 * @typedef {object} SessionParts
 * @property {string} group
 * @property {() => string} endpoint
 * @property {(options: ConnectionOptions) => Connection} connect
 * @property {LocalMedia} local
 * @property {Chat} chat
 * @property {Roster} roster
 * @property {Notices} notices
 * @property {Publisher} publisher
 * @property {Subscriber} subscriber
 * @property {() => RequestMap} request what to receive
 */

/** A client's time in one group, over as many connections as it takes. */
export class Session {
  store;
  /** @type {RTCConfiguration} */
  configuration = {};
  #parts;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Credential} */
  #credential = { username: '', password: '', token: '' };
  #tries = 0;
  /** When the last try began, on the monotonic clock. */
  #triedAt = 0;
  #enteredAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Ending | null} */
  #kicked = null;
  /** The name as the server assigned it: it must come back as it was. */
  #rawUsername = '';

  /**
   * @param {SessionParts} parts
   * @param {GroupStatus} status
   */
  constructor(parts, status) {
    this.#parts = parts;
    this.store = new Store(initial(status));
  }

  /** @param {Credential} credential */
  join(credential) {
    this.#credential = credential;
    this.#tries = 0;
    this.#kicked = null;
    this.store.update({
      phase: 'joining',
      failure: null,
      unreachable: false,
      ending: null,
    });
    this.#try();
  }

  /** Stops waiting at the door. */
  giveUp() {
    this.#disconnect();
    this.store.update({ phase: 'door', failure: null, unreachable: false, retryAt: 0 });
  }

  /** Leaves the meeting for good. */
  leave() {
    this.#connection?.send({ type: 'join', kind: 'leave', group: this.#parts.group });
    this.#end({ kind: 'left', text: '', by: '' });
  }

  /** Makes the next try at once, or looks whether the connection is still alive. */
  hurry() {
    if (this.store.value.retryAt !== 0) this.#try();
    else this.#connection?.probe();
  }

  /** The network is another one now: what was begun in the old one is not waited for. */
  moved() {
    if (this.#connection?.open) this.#connection.probe(PONG_AFTER_CHANGE);
    else if (this.#connection || this.store.value.retryAt !== 0) {
      this.#tries = 0;
      this.#try();
    }
  }

  /**
   * Sends a message; those that others will see carry who they are from.
   *
   * @param {ClientMessage} message
   * @returns {boolean} whether it went out
   */
  send(message) {
    const stamped = ['offer', 'chat', 'usermessage', 'useraction', 'groupaction'];
    const { id } = this.store.value;
    const from = { source: id, username: this.#rawUsername };
    const whole = stamped.includes(message.type) ? { ...message, ...from } : message;
    return this.#connection?.send(/** @type {ClientMessage} */ (whole)) ?? false;
  }

  /** Tells the server what to receive; before one has joined, it does not want to know. */
  request() {
    if (this.store.value.phase !== 'meeting') return;
    this.send({ type: 'request', request: this.#parts.request() });
  }

  /** @param {boolean} hand whether one's hand is up */
  raise(hand) {
    this.store.update({ hand });
    this.setData({ raisehand: hand || null });
  }

  /**
   * Tells the others something about oneself.
   *
   * @param {Record<string, unknown>} value
   */
  setData(value) {
    if (this.store.value.phase !== 'meeting') return;
    const { id } = this.store.value;
    this.send({ type: 'useraction', kind: 'setdata', dest: id, value });
  }

  #try() {
    clearTimeout(this.#timer);
    this.store.update({ retryAt: 0 });
    if (this.#connection?.open) {
      this.#ask();
      return;
    }
    this.#connection?.close();
    this.#triedAt = performance.now();
    this.#connection = this.#parts.connect({
      url: this.#parts.endpoint(),
      handlers: this.#handlers(),
      onopen: () => this.#ask(),
      onend: end => this.#lost(end),
    });
  }

  #ask() {
    const { username, password, token } = this.#credential;
    const { microphone } = this.#parts.local.store.value;
    const { hand } = this.store.value;
    this.#connection?.send({
      type: 'join',
      kind: 'join',
      group: this.#parts.group,
      ...(token ? { token, ...(username && { username }) } : { username, password }),
      data: { ...(!microphone.on && { muted: true }), ...(hand && { raisehand: true }) },
    });
  }

  /** @returns {Handlers<GroupMessageType>} */
  #handlers() {
    const { chat, publisher, roster, subscriber } = this.#parts;
    return {
      joined: m => this.#joined(m),
      user: m => roster.handle(m, this.store.value.id),
      chat: m => chat.receive(m, false),
      chathistory: m => chat.receive(m, true),
      usermessage: m => {
        this.#kicked = told(this.#parts, m) ?? this.#kicked;
      },
      offer: m => subscriber.offer(m),
      answer: m => publisher.find(m.id)?.answer(m.sdp),
      ice: m => {
        const up = publisher.find(m.id);
        if (up) up.ice(m.candidate);
        else subscriber.ice(m.id, m.candidate);
      },
      renegotiate: m => publisher.find(m.id)?.renegotiate(),
      close: m => subscriber.close(m.id),
      abort: m => publisher.aborted(m.id),
    };
  }

  /** @param {Joined} message */
  #joined(message) {
    switch (message.kind) {
      case 'fail':
        this.#refused(message);
        return;
      case 'redirect':
        this.#disconnect();
        this.store.update({ phase: 'door', redirect: message.value ?? '' });
        return;
      case 'join':
        this.#entered(message);
        return;
      case 'change':
        this.#changed(message);
        return;
      case 'leave':
        return;
    }
  }

  /** @param {Joined} message */
  #entered(message) {
    const again = this.store.value.phase === 'reconnecting';
    const id = this.#connection?.id ?? '';
    this.#enteredAt = performance.now();
    this.#adopt(message);
    this.#parts.chat.addSelf(id);
    this.#parts.subscriber.reset();
    this.#parts.roster.begin();
    this.store.update({
      phase: 'meeting',
      id,
      failure: null,
      unreachable: false,
      since: again ? this.store.value.since : Date.now(),
    });
    this.request();
    this.#present();
    if (again) this.#parts.notices.add('info', 'connection.back');
  }

  /** @param {Joined} message */
  #changed(message) {
    const before = this.store.value.permissions;
    this.#adopt(message);
    tellRights(this.#parts.notices, before, this.store.value.permissions);
    this.#present();
  }

  /** @param {Joined} message */
  #adopt(message) {
    this.#rawUsername = message.username ?? this.#rawUsername;
    this.configuration = message.rtcConfiguration ?? this.configuration;
    this.store.update({
      username: clean(this.#rawUsername),
      permissions: message.permissions ?? [],
      // What a change leaves out is no longer so; only the page's `.status` has addresses.
      status: {
        ...this.store.value.status,
        locked: undefined,
        ...message.status,
      },
    });
  }

  /** Who may not be seen and heard does not keep the devices open, either. */
  #present() {
    const may = this.store.value.permissions.includes('present');
    if (!may) this.#parts.local.close();
    this.#parts.publisher.enable(may);
  }

  /** @param {JoinedFail} message */
  #refused(message) {
    const failure = failureOf(message, this.#credential.token !== '');
    if (this.store.value.phase === 'reconnecting' && !passes(failure.kind)) {
      this.#end({ kind: 'refused', text: failure.text, by: '' });
      this.store.update({ failure });
      return;
    }
    if (!passes(failure.kind)) {
      this.#disconnect();
      this.store.update({ phase: 'door', failure });
      return;
    }
    const waits = this.store.value.phase === 'reconnecting' ? 'reconnecting' : 'waiting';
    this.store.update({ phase: waits, failure, unreachable: false });
    this.#later(backoff(this.#tries++, KNOCK));
  }

  /** @param {End} end */
  #lost(end) {
    this.#connection = null;
    if (this.#kicked && !/shutting down|restart/iu.test(this.#kicked.text)) {
      this.#end(this.#kicked);
      return;
    }
    this.#kicked = null;
    const { phase } = this.store.value;
    this.#parts.publisher.reset();
    if (phase === 'meeting' || phase === 'reconnecting') {
      const steady = performance.now() - this.#enteredAt >= STEADY;
      if (phase === 'meeting' && steady) this.#tries = 0;
      this.store.update({ phase: 'reconnecting', unreachable: true });
      // A try that took long has been waiting enough; what remains keeps clients apart.
      const waited = phase === 'meeting' ? 0 : performance.now() - this.#triedAt;
      const delay = backoff(this.#tries++, RETURN) - waited;
      this.#later(Math.max(delay, backoff(0, RETURN)));
      return;
    }
    if (phase === 'waiting') {
      this.#later(backoff(this.#tries++, KNOCK));
      return;
    }
    if (phase === 'joining') {
      this.store.update({ phase: 'door', unreachable: end.cause !== 'protocol' });
    }
  }

  /** @param {number} delay milliseconds */
  #later(delay) {
    clearTimeout(this.#timer);
    this.store.update({ retryAt: Date.now() + delay });
    this.#timer = setTimeout(() => this.#try(), delay);
  }

  /** @param {Ending} ending */
  #end(ending) {
    this.#disconnect();
    this.#parts.local.release();
    this.#parts.roster.clear();
    this.store.update({ phase: 'ended', ending, hand: false });
  }

  #disconnect() {
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = null;
    this.#parts.publisher.reset();
    this.#parts.subscriber.reset();
    this.store.update({ retryAt: 0 });
  }
}
