/** @import { Phase } from '../state/session-state.js' */
/** @import { View } from './view.js' */
import { mountDoor } from './door.js';
import { scope } from './dom.js';
import { mountEnded } from './ended.js';
import { mountRoom } from './room.js';

/** @type {Record<Phase, 'door' | 'room' | 'ended'>} */
const screens = {
  door: 'door',
  joining: 'door',
  waiting: 'door',
  meeting: 'room',
  reconnecting: 'room',
  ended: 'ended',
};

/**
 * A group's page: one of its screens at a time.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {{ token: string }} invitation
 * @param {AbortSignal} signal
 */
export function mountGroup(root, view, invitation, signal) {
  let life = scope(signal);
  view.session.store.watch(
    s => screens[s.phase],
    screen => {
      life.end();
      life = scope(signal);
      root.replaceChildren();
      switch (screen) {
        case 'door':
          mountDoor(root, view, invitation, life.signal);
          return;
        case 'room':
          mountRoom(root, view, life.signal);
          return;
        case 'ended':
          mountEnded(root, view, invitation, life.signal);
      }
    },
    signal,
  );
}
