/** @import { RemoteStream } from '../state/subscriber.js' */
/** @import { Keyed } from './dom.js' */
/** @import { View } from './view.js' */
import { el, reconcile } from './dom.js';

/**
 * Plays what is received. The players are apart from the tiles, so that somebody is heard
 * whether or not there is room to be seen.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountSound(root, { subscriber, settings, look }, signal) {
  const players = el('div', { hidden: true });
  root.append(players);
  /** @type {Map<string, Keyed<RemoteStream>>} */
  const kept = new Map();
  /** @param {HTMLAudioElement} player */
  const play = player => {
    player.play().catch(error => {
      if (error instanceof Error && error.name === 'NotAllowedError') {
        look.update({ soundBlocked: true });
      }
    });
  };
  /** @param {HTMLAudioElement} player */
  const route = player => {
    // Firefox on Android and older Safari play on the system's choice only; a speaker that
    // is gone leaves the sound where it was.
    player.setSinkId?.(settings.value.speaker).catch(() => {});
  };
  /**
   * @param {RemoteStream} stream
   * @returns {Keyed<RemoteStream>}
   */
  const make = stream => {
    const player = el('audio', { autoplay: true });
    /** @type {MediaStreamTrack | null} */
    let playing = null;
    /** @param {RemoteStream} s */
    const draw = s => {
      if (!s.audio || s.audio === playing) return;
      playing = s.audio;
      player.srcObject = new MediaStream([s.audio]);
      play(player);
    };
    route(player);
    draw(stream);
    const remove = () => {
      player.srcObject = null;
    };
    return { element: player, draw, remove };
  };
  subscriber.store.watch(
    s => s.streams,
    streams => {
      const items = [...streams.values()].filter(s => s.audio);
      reconcile({ root: players, items, key: s => s.id, kept, make });
    },
    signal,
  );
  const all = () => players.querySelectorAll('audio');
  settings.watch(
    s => s.speaker,
    () => all().forEach(route),
    signal,
  );
  look.watch(
    s => s.soundBlocked,
    blocked => {
      if (!blocked) all().forEach(play);
    },
    signal,
  );
}
