/** @import { View } from './view.js' */
import { mountAnnouncer } from './announce.js';
import { mountBanners } from './banner.js';
import { mountBar } from './bar.js';
import { el } from './dom.js';
import { mountPanel } from './panel.js';
import { mountShortcuts } from './shortcuts.js';
import { mountSound } from './sound.js';
import { tellProblems } from './sources.js';
import { mountStage } from './stage.js';
import { mountToasts } from './toasts.js';
import { mountTopBar } from './topbar.js';
import { keepAwake } from './wake.js';

/**
 * The meeting.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountRoom(root, view, signal) {
  const room = el('div', { class: 'room' });
  const stage = el('main', { class: 'stage', tabindex: -1 });
  root.append(room);
  mountTopBar(room, view, signal);
  mountBanners(room, view, signal);
  room.append(stage);
  mountStage(stage, view, signal);
  tellProblems(view, signal);
  mountPanel(room, view, signal);
  mountBar(room, view, signal);
  mountToasts(room, view, signal);
  mountSound(room, view, signal);
  mountAnnouncer(room, view, signal);
  mountShortcuts(view, signal);
  keepAwake(signal);
  view.look.watch(
    s => s.panel,
    panel => room.classList.toggle('has-panel', panel !== null),
    signal,
  );
  window.addEventListener(
    'beforeunload',
    e => {
      if (view.local.store.value.share) e.preventDefault();
    },
    { signal },
  );
  stage.focus({ preventScroll: true });
}
