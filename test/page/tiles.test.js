/** @import { Member } from '../../static/js/state/roster.js' */
/** @import { RemoteStream } from '../../static/js/state/subscriber.js' */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inOrder } from '../../static/js/state/roster.js';
import { fitting, tilesOf } from '../../static/js/state/tiles.js';

/**
 * @param {string} id
 * @param {Partial<Member>} [more]
 * @returns {[string, Member]}
 */
const person = (id, more = {}) => [
  id,
  {
    id,
    username: id,
    permissions: ['present'],
    muted: false,
    hand: 0,
    stale: false,
    ...more,
  },
];

/**
 * @param {string} id
 * @param {string} source
 * @param {Partial<RemoteStream>} [more]
 * @returns {[string, RemoteStream]}
 */
const stream = (id, source, more = {}) => [
  id,
  {
    id,
    source,
    username: source,
    label: 'camera',
    audio: null,
    video: /** @type {MediaStreamTrack} */ ({}),
    pictured: true,
    health: 'good',
    ...more,
  },
];

describe('inOrder', () => {
  it('is oneself, hands as they went up, operators, the others by name', () => {
    const members = new Map([
      person('zoe'),
      person('op', { permissions: ['op'] }),
      person('late', { hand: 20 }),
      person('early', { hand: 10 }),
      person('me'),
      person('RECORDING', { permissions: ['system'] }),
      person('ann'),
    ]);
    assert.deepEqual(
      inOrder(members, 'me').map(m => m.id),
      ['me', 'early', 'late', 'op', 'ann', 'zoe'],
    );
  });
});

describe('tilesOf', () => {
  it('gives each person a tile, shares first and oneself last', () => {
    const members = new Map([person('me'), person('b'), person('c')]);
    const streams = new Map([
      stream('s1', 'b'),
      stream('s2', 'b', { label: 'screenshare' }),
    ]);
    assert.deepEqual(
      tilesOf(members, streams, 'me').map(t => [t.key, t.stream?.id ?? '', t.share]),
      [
        ['stream s2', 's2', true],
        ['member b', 's1', false],
        ['member c', '', false],
        ['member me', '', false],
      ],
    );
  });

  it('shows the old stream until the one that replaces it is there', () => {
    const members = new Map([person('b')]);
    /** @param {Partial<RemoteStream>} next */
    const shown = next => {
      const streams = new Map([stream('old', 'b'), stream('new', 'b', next)]);
      return tilesOf(members, streams, 'me').map(t => t.stream?.id);
    };
    assert.deepEqual(shown({ health: 'connecting' }), ['old']);
    assert.deepEqual(shown({ health: 'good' }), ['new']);
    assert.deepEqual(shown({ health: 'connecting', video: null }), ['new']);
  });

  it('shows streams of senders who are not members, and no recorders', () => {
    const members = new Map([person('RECORDING', { permissions: ['system'] })]);
    const streams = new Map([stream('whip', 'whip', { label: '' })]);
    assert.deepEqual(
      tilesOf(members, streams, 'me').map(t => t.key),
      ['stream whip'],
    );
  });
});

describe('fitting', () => {
  it('prefers oneself, pictures, hands and voices, and keeps the order', () => {
    const members = new Map([
      person('quiet'),
      person('hand', { hand: 1 }),
      person('seen'),
      person('me'),
    ]);
    const tiles = tilesOf(members, new Map([stream('s', 'seen')]), 'me');
    const names = fitting(tiles, 3).map(t => t.username);
    assert.deepEqual(names, ['hand', 'seen', 'me']);
    assert.equal(fitting(tiles, 9).length, 4);
  });
});
