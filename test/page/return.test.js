import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { ann, meet } from './meet.js';

describe('Session that was cut off', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] }));
  afterEach(() => mock.timers.reset());

  it('tries ever more rarely, and at once when the network is back', () => {
    const { session, sockets, last, enter } = meet();
    session.join(ann);
    enter();
    last().drop();
    const waits = [];
    for (let i = 0; i < 8; i++) {
      waits.push(session.store.value.retryAt - Date.now());
      session.hurry();
      last().drop();
    }
    assert.equal(sockets.length, 9);
    assert.ok((waits.at(-1) ?? 0) > 4 * (waits[0] ?? 0), String(waits));
    assert.ok(Math.max(...waits) <= 5000, 'a server that is back waits for its clients');
  });

  it('does not come back in the same moment as all the others', () => {
    const waits = Array.from({ length: 30 }, () => {
      const { session, last, enter } = meet();
      session.join(ann);
      enter();
      last().drop();
      return session.store.value.retryAt - Date.now();
    });
    assert.ok(new Set(waits).size > 15, String(waits));
    assert.ok(Math.max(...waits) - Math.min(...waits) > 100, String(waits));
  });

  it('does not wait much longer after a try that was long itself', () => {
    let now = 0;
    const clock = mock.method(performance, 'now', () => now);
    try {
      const { session, last, enter } = meet();
      session.join(ann);
      enter();
      last().drop();
      for (let i = 0; i < 6; i++) {
        session.hurry();
        now += 8000;
        last().drop();
        const wait = session.store.value.retryAt - Date.now();
        assert.ok(wait > 0 && wait <= 600, `${wait} ms after try ${i}`);
      }
    } finally {
      clock.mock.restore();
    }
  });

  it('waits ever longer for a server that throws it out as soon as it is in', () => {
    const { session, last, enter } = meet();
    session.join(ann);
    for (let i = 0; i < 6; i++) {
      enter();
      last().drop();
      const wait = session.store.value.retryAt - Date.now();
      assert.ok(wait >= Math.min(2500, 300 * 2 ** i), `${wait} ms after ${i}`);
      session.hurry();
    }
  });

  it('waits for nothing that was begun in another network', () => {
    const { session, sockets, last, enter } = meet();
    session.moved();
    assert.equal(sockets.length, 0);
    session.join(ann);
    enter();
    session.moved();
    assert.equal(last().sentOf('ping').length, 1);
    assert.equal(sockets.length, 1);
    last().drop();
    session.moved();
    assert.equal(sockets.length, 2);
    session.moved();
    assert.equal(sockets.length, 3);
    last().drop();
    const wait = session.store.value.retryAt - Date.now();
    assert.ok(wait <= 600, `${wait} ms, as if it had been tried in vain here`);
  });
});
