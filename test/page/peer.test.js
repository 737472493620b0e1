import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { RECOVERY, mend } from '../../static/js/media/peer.js';

/** A peer connection that is in whatever state the test says. */
class FakePeer extends EventTarget {
  /** @type {RTCPeerConnectionState} */
  connectionState = 'connected';

  /** @param {RTCPeerConnectionState} state */
  become(state) {
    this.connectionState = state;
    if (state !== 'closed') this.dispatchEvent(new Event('connectionstatechange'));
  }
}

describe('mend', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  function watched() {
    const peer = new FakePeer();
    const restart = mock.fn();
    mend(/** @type {RTCPeerConnection} */ (/** @type {unknown} */ (peer)), restart);
    return { peer, restarts: () => restart.mock.callCount() };
  }

  it('looks for another way soon after a connection is lost, long before it fails', () => {
    const { peer, restarts } = watched();
    peer.become('disconnected');
    mock.timers.tick(RECOVERY - 1);
    assert.equal(restarts(), 0);
    mock.timers.tick(1);
    assert.equal(restarts(), 1);
    peer.become('failed');
    assert.equal(restarts(), 2);
  });

  it('leaves a connection alone that comes back by itself, or is closed', () => {
    for (const state of /** @type {const} */ (['connected', 'closed'])) {
      const { peer, restarts } = watched();
      peer.become('disconnected');
      mock.timers.tick(RECOVERY - 1);
      peer.become(state);
      mock.timers.tick(10 * RECOVERY);
      assert.equal(restarts(), 0, state);
    }
  });

  it('does so at once when the browser has given up', () => {
    const { peer, restarts } = watched();
    peer.become('failed');
    assert.equal(restarts(), 1);
  });
});
