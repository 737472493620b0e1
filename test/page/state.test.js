import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { backoff } from '../../static/js/state/backoff.js';
import { Chat } from '../../static/js/state/chat.js';
import { failureOf, passes } from '../../static/js/state/failure.js';
import { LIMIT, Notices } from '../../static/js/state/notices.js';
import { Roster } from '../../static/js/state/roster.js';
import { Store } from '../../static/js/state/store.js';

describe('Store', () => {
  it('tells watchers of the part that they watch, until they go', () => {
    const store = new Store({ a: 1, b: 1 });
    const seen = /** @type {number[]} */ ([]);
    const life = new AbortController();
    store.watch(
      s => s.a,
      a => void seen.push(a),
      life.signal,
    );
    store.update({ b: 2 });
    store.update({ a: 2 });
    store.update({ a: 2 });
    life.abort();
    store.update({ a: 3 });
    assert.deepEqual(seen, [1, 2]);
  });

  it('does not tell those who left while it was telling', () => {
    const store = new Store({ a: 1 });
    const life = new AbortController();
    let told = 0;
    store.watch(
      s => s.a,
      a => void (a === 2 && life.abort()),
      new AbortController().signal,
    );
    store.watch(
      s => s.a,
      () => void told++,
      life.signal,
    );
    store.update({ a: 2 });
    assert.equal(told, 1);
  });
});

describe('backoff', () => {
  it('doubles up to its limit, with chance in the upper half', () => {
    const least = Array.from({ length: 8 }, (_, i) => backoff(i, { random: () => 0 }));
    assert.deepEqual(least, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    assert.equal(backoff(2, { random: () => 1 }), 4000);
    assert.equal(backoff(5000, { random: () => 1 }), 30000);
  });
});

describe('failureOf', () => {
  const rows = /** @type {[string, object, boolean, string][]} */ ([
    ['a wrong password', { value: 'not authorised' }, false, 'password'],
    ['a bad invitation', { value: 'not authorised' }, true, 'invitation'],
    [
      'a missing name',
      { error: 'need-username', value: 'username required' },
      true,
      'name',
    ],
    ['a reserved name', { error: 'duplicate-username', value: 'taken' }, true, 'taken'],
    [
      'the default lock',
      { value: 'this group is locked', username: 'a' },
      false,
      'locked',
    ],
    ['a lock with a message', { value: 'Back at two.', username: 'a' }, false, 'locked'],
    ['a full group', { value: 'too many users', username: 'a' }, false, 'full'],
    ['an early visitor', { value: 'this group is not open yet' }, false, 'early'],
    [
      'no operator',
      { value: 'there are no operators in this group' },
      false,
      'unattended',
    ],
    ['a closed group', { value: 'this group is closed' }, false, 'closed'],
    [
      'anything before the credentials',
      { value: 'go away', username: '' },
      false,
      'other',
    ],
  ]);
  for (const [name, message, byToken, kind] of rows) {
    it(`recognises ${name}`, () => {
      const failure = failureOf({ type: 'joined', kind: 'fail', ...message }, byToken);
      assert.equal(failure.kind, kind);
    });
  }

  it('waits only for what passes by itself', () => {
    const kinds = /** @type {const} */ (['locked', 'early', 'unattended', 'full']);
    assert.ok(kinds.every(passes));
    assert.ok(!passes('password') && !passes('closed') && !passes('missing'));
  });
});

describe('Chat', () => {
  const said = {
    id: '1',
    source: 'b',
    username: 'Bob',
    value: 'one',
    time: '2026-01-01T10:00:00Z',
  };

  it('keeps each message once, by its id', () => {
    const chat = new Chat();
    chat.receive(said, false);
    chat.receive(said, true);
    chat.receive(said, false);
    assert.equal(chat.store.value.entries.length, 1);
  });

  it('puts history before what was said since', () => {
    const chat = new Chat();
    chat.receive({ ...said, id: '2', time: '2026-01-01T11:00:00Z' }, false);
    chat.receive({ ...said, id: '1' }, true);
    assert.deepEqual(
      chat.store.value.entries.map(e => e.id),
      ['1', '2'],
    );
  });

  it('counts what others say while nobody looks', () => {
    const chat = new Chat();
    chat.addSelf('me');
    chat.receive({ ...said, id: '1' }, true);
    chat.receive({ ...said, id: '2' }, false);
    chat.receive({ ...said, id: '3', source: 'me' }, false);
    assert.equal(chat.store.value.unread, 1);
    chat.setOpen(true);
    chat.receive({ ...said, id: '4' }, false);
    assert.equal(chat.store.value.unread, 0);
    assert.equal(chat.store.value.latest?.id, '4');
  });

  it('marks what is private, both ways', () => {
    const chat = new Chat();
    chat.receive({ ...said, dest: 'me' }, false);
    const sent = {
      source: 'me',
      username: 'Me',
      peer: 'b',
      peerName: 'Bob',
      action: false,
    };
    chat.addPrivate({ ...sent, text: 'two' });
    assert.deepEqual(
      chat.store.value.entries.map(e => [e.direction, e.peer, e.own]),
      [
        ['from', 'b', false],
        ['to', 'b', true],
      ],
    );
  });

  it('leaves captions and empty values out, and shows any other value', () => {
    const chat = new Chat();
    chat.receive({ ...said, id: '1', kind: 'caption' }, false);
    chat.receive({ ...said, id: '2', value: '' }, false);
    chat.receive({ ...said, id: '3', value: { a: 1 } }, false);
    assert.deepEqual(
      chat.store.value.entries.map(e => e.text),
      ['{"a":1}'],
    );
  });

  it('removes all, one author or one message', () => {
    const fill = () => {
      const chat = new Chat();
      for (const [id, source] of ['1b', '2b', '3c'])
        chat.receive({ ...said, id, source }, true);
      return chat;
    };
    const rows = /** @type {[unknown, string[]][]} */ ([
      [undefined, []],
      [{ userId: 'b' }, ['3']],
      [{ userId: 'b', id: '1' }, ['2', '3']],
      [{ userId: 'c', id: '1' }, ['1', '2', '3']],
    ]);
    for (const [value, left] of rows) {
      const chat = fill();
      chat.clear(value);
      assert.deepEqual(
        chat.store.value.entries.map(e => e.id),
        left,
      );
    }
  });
});

describe('Notices', () => {
  it('keeps a bounded list, and shows the same thing once', () => {
    const notices = new Notices();
    for (let i = 0; i < LIMIT + 5; i++) notices.add('info', 'notice.muted');
    const { list } = notices.store.value;
    assert.equal(list.length, LIMIT);
    assert.equal(list.filter(n => n.shown).length, 1);
  });
});

describe('Roster', () => {
  it('reads the data that it knows and passes over the rest', () => {
    const roster = new Roster(() => {});
    const data = { muted: true, raisehand: true, mood: 'good' };
    roster.handle(
      { type: 'user', kind: 'add', id: 'b', username: 'B\u202Eob', data },
      'me',
    );
    const member = roster.store.value.members.get('b');
    assert.equal(member?.username, 'Bob');
    assert.equal(member?.muted, true);
    assert.ok(member?.hand);
  });

  it('tells of arrivals only once those who were there are known', () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const told = /** @type {string[]} */ ([]);
    const roster = new Roster(h => void told.push(`${h.kind} ${h.member.username}`));
    roster.begin();
    roster.handle({ type: 'user', kind: 'add', id: 'b', username: 'Bob' }, 'me');
    mock.timers.tick(2000);
    roster.handle({ type: 'user', kind: 'add', id: 'c', username: 'Cy' }, 'me');
    roster.handle(
      {
        type: 'user',
        kind: 'change',
        id: 'c',
        username: 'Cy',
        data: { raisehand: true },
      },
      'me',
    );
    roster.handle({ type: 'user', kind: 'delete', id: 'b', username: 'Bob' }, 'me');
    assert.deepEqual(told, ['joined Cy', 'hand Cy', 'left Bob']);
    mock.timers.reset();
  });

  it('drops those who did not come back after a reconnection', () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const roster = new Roster(() => {});
    for (const id of ['b', 'c']) roster.handle({ type: 'user', kind: 'add', id }, 'me');
    roster.begin();
    roster.handle({ type: 'user', kind: 'add', id: 'c' }, 'me');
    assert.equal(roster.store.value.members.size, 2);
    mock.timers.tick(2000);
    assert.deepEqual([...roster.store.value.members.keys()], ['c']);
    mock.timers.reset();
  });
});
