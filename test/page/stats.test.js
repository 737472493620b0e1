import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linesOf } from '../../static/js/state/stats.js';

describe('linesOf', () => {
  it('is empty for a group without clients', () => {
    assert.deepEqual(linesOf({ name: 'g' }), []);
  });

  it('has a line for a client without streams', () => {
    assert.deepEqual(linesOf({ name: 'g', clients: [{ id: 'a' }] }), [{ client: 'a' }]);
  });

  it('has a line for each track, and for a stream without tracks', () => {
    const audio = { bitrate: 1 };
    const video = { bitrate: 2, loss: 0.5 };
    const up = [{ id: 's', tracks: [audio, video] }];
    const down = [{ id: 't', maxBitrate: 9, tracks: null }];
    const up1 = { client: 'a', stream: 's', direction: 'up', limit: undefined };
    assert.deepEqual(linesOf({ name: 'g', clients: [{ id: 'a', up, down }] }), [
      { ...up1, track: 1, stats: audio },
      { ...up1, track: 2, stats: video },
      { client: 'a', stream: 't', direction: 'down', limit: 9 },
    ]);
  });
});
