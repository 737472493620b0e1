import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Actions } from '../../static/js/state/actions.js';
import { ann, meet } from './meet.js';

describe('Session', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] }));
  afterEach(() => mock.timers.reset());

  it('joins by name, with an empty password at first', () => {
    const { session, last } = meet();
    session.join(ann);
    last().accept();
    assert.deepEqual(last().sentOf('join'), [
      { type: 'join', kind: 'join', group: 'g', username: 'Ann', password: '', data: {} },
    ]);
    assert.equal(session.store.value.phase, 'joining');
  });

  it('joins by invitation without a password, and with no name if there is none', () => {
    const { session, last } = meet();
    session.join({ username: '', password: 'x', token: 'T' });
    last().accept();
    assert.deepEqual(last().sentOf('join'), [
      { type: 'join', kind: 'join', group: 'g', token: 'T', data: {} },
    ]);
  });

  it('asks for what to receive and publishes once it is in, and not before', () => {
    const { session, last, enter, calls } = meet();
    session.join(ann);
    last().accept();
    session.request();
    assert.deepEqual(last().sentOf('request'), []);
    enter();
    assert.equal(session.store.value.phase, 'meeting');
    assert.deepEqual(last().sentOf('request'), [
      { type: 'request', request: { '': ['audio', 'video'] } },
    ]);
    assert.ok(calls.includes('enable true'));
  });

  it('says that the microphone is off when it joins', () => {
    const { session, last, local } = meet();
    void local.setMicrophone(false);
    session.join(ann);
    last().accept();
    assert.deepEqual(Object(last().sentOf('join')[0]).data, { muted: true });
  });

  it('goes back to the door when the password is wrong, ready for another try', () => {
    const { session, last, enter } = meet();
    session.join(ann);
    last().accept();
    last().receive({
      type: 'joined',
      kind: 'fail',
      username: '',
      value: 'not authorised',
    });
    assert.equal(session.store.value.phase, 'door');
    assert.equal(session.store.value.failure?.kind, 'password');
    session.join({ ...ann, password: 'x' });
    enter();
    assert.equal(session.store.value.phase, 'meeting');
  });

  it('waits at a locked door and enters by itself', () => {
    const { session, last } = meet();
    session.join(ann);
    last().accept();
    for (let i = 1; i <= 3; i++) {
      last().receive({ type: 'joined', kind: 'fail', username: 'Ann', value: 'Exam!' });
      assert.equal(session.store.value.phase, 'waiting');
      assert.deepEqual(session.store.value.failure, { kind: 'locked', text: 'Exam!' });
      last().receive({ type: 'ping' });
      mock.timers.tick(4000);
      last().receive({ type: 'ping' });
      for (let s = 0; s < 30 && last().sentOf('join').length === i; s++) {
        mock.timers.tick(1000);
        last().receive({ type: 'ping' });
      }
      assert.equal(last().sentOf('join').length, i + 1);
    }
  });

  it('stamps what others will see with its id and the name that it was given', () => {
    const { session, chat, last, enter } = meet();
    session.join(ann);
    enter('Ann\u202E');
    new Actions(session, chat).say('hello', null);
    assert.deepEqual(last().sentOf('chat'), [
      {
        type: 'chat',
        kind: '',
        value: 'hello',
        source: session.store.value.id,
        username: 'Ann\u202E',
      },
    ]);
    assert.equal(session.store.value.username, 'Ann');
  });

  it('reconnects with the same credential and a new id, and keeps the chat', () => {
    const { session, chat, sockets, last, enter, calls } = meet();
    session.join({ ...ann, password: 'secret' });
    enter();
    last().receive({ type: 'chat', id: '1', source: 'b', username: 'Bob', value: 'hi' });
    const before = session.store.value.id;
    last().drop();
    assert.equal(session.store.value.phase, 'reconnecting');
    assert.ok(calls.includes('reset'));
    mock.timers.tick(1000);
    assert.equal(sockets.length, 2);
    enter();
    last().receive({
      type: 'chathistory',
      id: '1',
      source: 'b',
      username: 'Bob',
      value: 'hi',
    });
    assert.equal(Object(last().sentOf('join')[0]).password, 'secret');
    assert.equal(session.store.value.phase, 'meeting');
    assert.notEqual(session.store.value.id, before);
    assert.equal(chat.store.value.entries.length, 1);
  });

  it('stops when it was kicked, and says by whom', () => {
    const { session, sockets, last, enter, calls } = meet();
    session.join(ann);
    enter();
    const said = { kind: 'kicked', username: 'Eve', value: 'Bye', privileged: true };
    last().receive({ type: 'usermessage', ...said });
    last().drop(1000, 'kicked out');
    mock.timers.tick(60000);
    assert.equal(session.store.value.phase, 'ended');
    assert.deepEqual(session.store.value.ending, {
      kind: 'kicked',
      text: 'Bye',
      by: 'Eve',
    });
    assert.equal(sockets.length, 1);
    assert.ok(calls.includes('release'));
  });

  it('comes back when it was kicked because the server shuts down', () => {
    const { session, sockets, last, enter } = meet();
    session.join(ann);
    enter();
    const value = 'server is shutting down';
    last().receive({ type: 'usermessage', kind: 'kicked', value, privileged: true });
    last().drop(1000);
    mock.timers.tick(1000);
    assert.equal(session.store.value.phase, 'reconnecting');
    assert.equal(sockets.length, 2);
  });

  it('obeys nobody without privilege', () => {
    const { session, chat, notices, last, enter, local } = meet();
    session.join(ann);
    enter();
    last().receive({ type: 'chat', id: '1', source: 'b', value: 'hi' });
    for (const kind of ['kicked', 'mute', 'clearchat', 'error']) {
      last().receive({
        type: 'usermessage',
        kind,
        value: 'x',
        source: 'b',
        username: 'Bob',
      });
    }
    last().drop();
    assert.equal(session.store.value.phase, 'reconnecting');
    assert.equal(chat.store.value.entries.length, 1);
    assert.equal(local.store.value.microphone.on, true);
    assert.deepEqual(notices.store.value.list, []);
  });

  it('is muted by an operator, and says so', () => {
    const { session, notices, last, enter, local } = meet();
    session.join(ann);
    enter();
    last().receive({
      type: 'usermessage',
      kind: 'mute',
      username: 'Eve',
      privileged: true,
    });
    assert.equal(local.store.value.microphone.on, false);
    assert.equal(notices.store.value.list[0]?.key, 'notice.muted.by');
  });

  it('stops publishing when it may not present any more', () => {
    const { session, notices, last, enter, calls } = meet();
    session.join(ann);
    enter();
    const change = { type: 'joined', kind: 'change', username: 'Ann' };
    last().receive({ ...change, permissions: ['message'] });
    assert.deepEqual(calls.slice(-2), ['close devices', 'enable false']);
    assert.equal(notices.store.value.list.at(-1)?.key, 'right.unpresent');
    last().receive({ ...change, permissions: ['message', 'present'] });
    assert.equal(calls.at(-1), 'enable true');
  });

  it('tells where the group has moved', () => {
    const { session, last } = meet();
    session.join(ann);
    last().accept();
    last().receive({
      type: 'joined',
      kind: 'redirect',
      value: 'https://b.example/group/g/',
    });
    assert.equal(session.store.value.phase, 'door');
    assert.equal(session.store.value.redirect, 'https://b.example/group/g/');
  });

  it('says that the server cannot be reached', () => {
    const { session, last } = meet();
    session.join(ann);
    last().drop();
    assert.equal(session.store.value.phase, 'door');
    assert.equal(session.store.value.unreachable, true);
  });

  it('hands the candidates of streams that it does not send to the receiving side', () => {
    const { session, last, enter, calls } = meet();
    session.join(ann);
    enter();
    last().receive({ type: 'ice', id: 's', candidate: { candidate: 'x' } });
    assert.equal(calls.at(-1), 'ice s');
  });
});
