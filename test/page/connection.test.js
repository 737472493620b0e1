/** @import { End } from '../../static/js/protocol/connection.js' */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import {
  Connection,
  OPEN_WITHIN,
  PING_AFTER,
  PONG_AFTER_CHANGE,
  PONG_WITHIN,
} from '../../static/js/protocol/connection.js';
import { decode, newID } from '../../static/js/protocol/messages.js';
import { FakeSocket, recorder } from './fakes.js';

const SECOND = 1000;

function connect() {
  const socket = new FakeSocket();
  /** @type {unknown[]} */
  const heard = [];
  /** @type {End[]} */
  const ends = [];
  let opened = 0;
  let now = 0;
  const connection = new Connection({
    url: 'wss://example.org/ws',
    handlers: recorder(heard),
    onopen: () => opened++,
    onend: end => ends.push(end),
    socket: () => socket,
    now: () => now,
  });
  /** @param {number} ms */
  const pass = ms => {
    for (let i = 0; i < ms; i += SECOND / 4) {
      now += SECOND / 4;
      mock.timers.tick(SECOND / 4);
    }
  };
  return { socket, connection, heard, ends, pass, opened: () => opened };
}

describe('Connection', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => mock.timers.reset());

  it('shakes hands before anything else', () => {
    const { socket, connection, opened } = connect();
    assert.equal(connection.send({ type: 'ping' }), false);
    socket.accept();
    assert.deepEqual(socket.sent, [
      { type: 'handshake', version: ['2'], id: connection.id },
    ]);
    assert.equal(opened(), 1);
    assert.equal(connection.open, true);
  });

  it('hands each message to the handler of its type', () => {
    const { socket, heard } = connect();
    socket.accept();
    socket.receive({ type: 'close', id: 'a' });
    assert.deepEqual(heard, [{ type: 'close', id: 'a' }]);
  });

  it('passes over types that it does not know, those of every object too', () => {
    const { socket, heard, ends } = connect();
    socket.accept();
    for (const type of ['hologram', 'constructor', '__proto__']) socket.receive({ type });
    assert.deepEqual(heard, []);
    assert.deepEqual(ends, []);
  });

  it('answers a ping', () => {
    const { socket } = connect();
    socket.accept();
    socket.receive({ type: 'ping' });
    assert.equal(socket.sentOf('pong').length, 1);
  });

  it('asks for a sign of life after silence, and goes on when it comes', () => {
    const { socket, ends, pass } = connect();
    socket.accept();
    for (let i = 0; i < 5; i++) {
      pass(PING_AFTER);
      assert.equal(socket.sentOf('ping').length, i + 1);
      socket.receive({ type: 'pong' });
    }
    assert.deepEqual(ends, []);
  });

  it('finds a dead socket within 15 seconds', () => {
    const { socket, ends, pass } = connect();
    socket.accept();
    pass(PING_AFTER + PONG_WITHIN);
    assert.ok(PING_AFTER + PONG_WITHIN + 2 * SECOND <= 15 * SECOND);
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.cause, 'timeout');
    assert.equal(socket.readyState, 3);
  });

  it('does not wait long for an answer when the network is another one', () => {
    const { socket, ends, pass, connection } = connect();
    socket.accept();
    connection.probe();
    connection.probe(PONG_AFTER_CHANGE);
    connection.probe();
    assert.equal(socket.sentOf('ping').length, 1);
    pass(PONG_AFTER_CHANGE);
    assert.equal(ends[0]?.cause, 'timeout');

    const alive = connect();
    alive.socket.accept();
    alive.connection.probe(PONG_AFTER_CHANGE);
    alive.socket.receive({ type: 'pong' });
    alive.pass(PONG_AFTER_CHANGE);
    assert.deepEqual(alive.ends, []);
  });

  it('asks before it gives up when its timers were asleep', () => {
    const { socket, ends, pass, connection } = connect();
    socket.accept();
    connection.probe();
    socket.receive({ type: 'pong' });
    pass(PING_AFTER);
    assert.deepEqual(ends, []);
    assert.equal(socket.sentOf('ping').length, 2);
  });

  it('gives up on a server that does not shake hands', () => {
    const { ends, pass } = connect();
    pass(OPEN_WITHIN);
    assert.equal(ends[0]?.cause, 'timeout');
  });

  it('tells a refused socket from one that was lost', () => {
    const refused = connect();
    refused.socket.drop();
    assert.equal(refused.ends[0]?.cause, 'failed');
    const lost = connect();
    lost.socket.accept();
    lost.socket.drop(1000, 'kicked out');
    assert.deepEqual(lost.ends, [{ cause: 'closed', code: 1000, reason: 'kicked out' }]);
  });

  it('ends once, on nonsense', () => {
    const { socket, ends } = connect();
    socket.accept();
    socket.deliver('{');
    socket.drop();
    assert.deepEqual(ends, [{ cause: 'protocol', code: 0, reason: '' }]);
  });

  it('is silent after it was closed by its owner', () => {
    const { socket, connection, ends, heard } = connect();
    socket.accept();
    connection.close();
    socket.receive({ type: 'close', id: 'a' });
    socket.drop();
    assert.deepEqual([ends, heard], [[], []]);
    assert.equal(connection.send({ type: 'ping' }), false);
  });
});

describe('decode', () => {
  const rows = /** @type {[string, unknown, boolean][]} */ ([
    ['an object with a type', '{"type":"ping"}', true],
    ['no JSON', 'ping', false],
    ['null', 'null', false],
    ['a number', '1', false],
    ['no type', '{"id":"a"}', false],
    ['a type that is no string', '{"type":1}', false],
    ['a binary frame', new ArrayBuffer(2), false],
  ]);
  for (const [name, frame, good] of rows) {
    it(`${good ? 'takes' : 'refuses'} ${name}`, () => {
      assert.equal(decode(frame) !== null, good);
    });
  }
});

describe('newID', () => {
  it('makes 128 bits in hexadecimal, others each time', () => {
    const ids = Array.from({ length: 100 }, newID);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/u);
    assert.equal(new Set(ids).size, ids.length);
  });
});
