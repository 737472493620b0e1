/** @import { ClientMessage, RequestMap } from '../../static/js/protocol/messages.js' */
/** @import { Member } from '../../static/js/state/roster.js' */
/** @import { RemoteStream } from '../../static/js/state/subscriber.js' */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { encodingsOf } from '../../static/js/media/encodings.js';
import { Attention } from '../../static/js/state/attention.js';
import { parse } from '../../static/js/state/settings.js';
import { Sizes } from '../../static/js/state/sizes.js';
import { Store } from '../../static/js/state/store.js';

describe('encodingsOf', () => {
  const hd = { width: 1280, height: 720 };
  /** @param {Parameters<typeof encodingsOf>[0]} plan */
  const lines = plan =>
    encodingsOf(plan)
      .filter(e => e.active)
      .map(
        e => `${e.rid} /${e.scaleResolutionDownBy} ${e.maxBitrate} ${e.scalabilityMode}`,
      )
      .join(', ');
  for (const { name, plan, want } of [
    {
      name: 'is three sizes of a large picture',
      plan: { picture: hd, several: true },
      want: 'h /1 1500000 L1T3, m /2 500000 L1T3, l /4 100000 L1T3',
    },
    {
      name: 'is the same when the picture stands upright',
      plan: { picture: { width: 720, height: 1280 }, several: true },
      want: 'h /1 1500000 L1T3, m /2 500000 L1T3, l /4 100000 L1T3',
    },
    {
      name: 'is two sizes of a middling one',
      plan: { picture: { width: 640, height: 480 }, several: true },
      want: 'h /1 800000 L1T3, l /2 100000 L1T3',
    },
    {
      name: 'is a small one as it is',
      plan: { picture: { width: 320, height: 240 }, several: true },
      want: 'h /1 250000 L1T3',
    },
    {
      name: 'is one size if there is nobody for the others',
      plan: { picture: hd, several: false },
      want: 'h /1 1500000 L1T3',
    },
    {
      name: 'is layers of one picture where the codec has them',
      plan: { picture: hd, several: true, codec: 'video/VP9' },
      want: 'h /1 1500000 L3T3_KEY',
    },
    {
      name: 'takes a picture of unknown size for a large one',
      plan: { picture: {}, several: true, codec: 'video/VP8' },
      want: 'h /1 1500000 L1T3, m /2 500000 L1T3, l /4 100000 L1T3',
    },
  ]) {
    it(name, () => assert.equal(lines(plan), want));
  }

  it('always names all encodings, the best one first', () => {
    for (const several of [true, false]) {
      const rids = encodingsOf({ picture: hd, several }).map(e => e.rid);
      assert.deepEqual(rids, ['h', 'm', 'l']);
    }
  });
});

describe('Sizes', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  /**
   * @param {string} id
   * @param {string[]} [permissions]
   * @returns {[string, Member]}
   */
  const person = (id, permissions = ['present']) => [
    id,
    { id, username: id, permissions, muted: false, hand: 0, stale: false },
  ];

  /**
   * @param {number} count
   * @returns {{ members: ReadonlyMap<string, Member> }}
   */
  const people = count => ({
    members: new Map(Array.from({ length: count }, (_, i) => person(`${i}`))),
  });

  it('are several from the third person on, and for a while after it has left', () => {
    const roster = new Store(people(2));
    const settings = new Store(parse(null));
    const sizes = new Sizes({ roster, settings }, new AbortController().signal);
    assert.equal(sizes.store.value.several, false);
    roster.update(people(3));
    mock.timers.tick(2000);
    roster.update(people(4));
    mock.timers.tick(1000);
    assert.equal(sizes.store.value.several, true);
    roster.update(people(2));
    mock.timers.tick(9000);
    assert.equal(sizes.store.value.several, true, 'ended at once');
    roster.update(people(3));
    mock.timers.tick(9000);
    assert.equal(sizes.store.value.several, true, 'ended with three people');
    roster.update(people(2));
    mock.timers.tick(10_000);
    assert.equal(sizes.store.value.several, false, 'went on with two people');
  });

  it('do not count the recorder', () => {
    /** @type {ReadonlyMap<string, Member>} */
    const members = new Map([person('a'), person('b'), person('REC', ['system'])]);
    const settings = new Store(parse(null));
    const sizes = new Sizes(
      { roster: new Store({ members }), settings },
      new AbortController().signal,
    );
    assert.equal(sizes.store.value.several, false);
  });

  it('are what the settings say', () => {
    const settings = new Store(parse('{"simulcast":"on"}'));
    const roster = new Store(people(1));
    const sizes = new Sizes({ roster, settings }, new AbortController().signal);
    assert.equal(sizes.store.value.several, true);
    settings.update({ simulcast: 'off' });
    roster.update(people(5));
    assert.equal(sizes.store.value.several, false);
  });
});

describe('Attention', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  /**
   * @param {string[]} ids
   * @returns {{ streams: ReadonlyMap<string, RemoteStream> }}
   */
  const streamsOf = ids => ({
    streams: new Map(
      ids.map(id => [
        id,
        {
          id,
          source: 'somebody',
          username: '',
          label: 'camera',
          audio: null,
          video: null,
          pictured: id !== 'voice',
          health: 'good',
        },
      ]),
    ),
  });

  /** @param {string[]} ids */
  function begin(...ids) {
    /** @type {string[]} */
    const asked = [];
    const streams = new Store(streamsOf(ids));
    let now = 1;
    let map = /** @type {RequestMap} */ ({ '': ['audio', 'video'] });
    const attention = new Attention(
      {
        streams,
        /** @param {ClientMessage} m */
        send: m => {
          if (m.type === 'requestStream') asked.push(`${m.id}: ${m.request}`);
        },
        request: () => map,
        now: () => now,
      },
      new AbortController().signal,
    );
    return {
      streams,
      /** @param {Record<string, number>} areas */
      look: areas => attention.look(new Map(Object.entries(areas))),
      /** @param {RequestMap} request */
      set: request => {
        map = request;
        attention.reconsider();
      },
      /** @param {number} time */
      after: time => {
        for (let rest = time; rest > 0; rest -= 100) {
          now += 100;
          mock.timers.tick(100);
        }
        return asked.splice(0);
      },
    };
  }

  it('asks for small pictures in small tiles, once the stage is still', () => {
    const { look, after } = begin('a', 'b');
    look({ a: 10_000, b: 200_000 });
    assert.deepEqual(after(100), []);
    look({ a: 10_000, b: 300_000 });
    assert.deepEqual(after(100), [], 'asked while the stage was moving');
    assert.deepEqual(after(200), ['a: audio,video-low']);
    look({ a: 10_000, b: 300_000 });
    assert.deepEqual(after(1000), [], 'asked again for the same');
    look({ a: 300_000, b: 10_000 });
    assert.deepEqual(after(300), ['a: null', 'b: audio,video-low']);
  });

  it('does not change its mind for little', () => {
    const { look, after } = begin('a');
    look({ a: 76_000 });
    assert.deepEqual(after(300), ['a: audio,video-low']);
    look({ a: 90_000 });
    assert.deepEqual(after(300), []);
    look({ a: 97_000 });
    assert.deepEqual(after(300), ['a: null']);
    look({ a: 80_000 });
    assert.deepEqual(after(300), []);
  });

  it('only hears people who are not on the stage for longer', () => {
    const { look, after } = begin('a', 'voice');
    look({});
    assert.deepEqual(after(2500), []);
    look({ a: 200_000 });
    assert.deepEqual(after(1000), [], 'was away for a moment only');
    look({});
    assert.deepEqual(after(3500), ['a: audio']);
    look({ a: 200_000 });
    assert.deepEqual(after(300), ['a: null']);
  });

  it('asks for no more than what the settings say', () => {
    const { look, set, after } = begin('a');
    set({ '': ['audio', 'video-low'] });
    look({ a: 200_000 });
    assert.deepEqual(after(300), []);
    look({ a: 10_000 });
    assert.deepEqual(after(300), []);
    look({});
    assert.deepEqual(after(3500), ['a: audio']);
    set({ '': ['audio'] });
    assert.deepEqual(after(300), ['a: null']);
  });

  it('forgets streams that have ended', () => {
    const { streams, look, after } = begin('a');
    look({ a: 10_000 });
    assert.deepEqual(after(300), ['a: audio,video-low']);
    streams.update(streamsOf([]));
    assert.deepEqual(after(300), []);
    streams.update(streamsOf(['a']));
    assert.deepEqual(after(300), ['a: audio,video-low']);
  });
});
