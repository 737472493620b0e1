/** @import { View } from './view.js' */
import { meter } from '../media/level.js';
import { el, icon, scope } from './dom.js';
import { mountProblems, mountSource } from './sources.js';
import { avatar } from './tile.js';
import { mountVideo } from './video.js';

/**
 * Oneself, as the others will see one, with the switches of the devices.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountPreview(root, view, signal) {
  const { words, local, settings } = view;
  const media = el('div', { class: 'tile-media' });
  const face = el('div', { class: 'tile-face' });
  const hint = el('p', { class: 'preview-hint' });
  const controls = el('div', { class: 'preview-controls' });
  const level = el('meter', {
    min: 0,
    max: 1,
    'aria-label': words.t('microphone.level'),
  });
  const picture = el('div', { class: 'picture' }, face, hint, media, controls);
  root.append(picture);
  mountSource(controls, view, 'microphone', signal);
  mountSource(controls, view, 'camera', signal);
  root.append(el('div', { class: 'level' }, icon('mic'), level));
  mountProblems(root, view, signal);
  const show = mountVideo(media, { mirror: true });
  local.store.watch(s => s.camera.track, show, signal);
  local.store.watch(
    s => s.camera,
    camera => {
      const off = camera.track ? '' : words.t('camera.off');
      hint.textContent = camera.opening ? words.t('camera.opening') : off;
    },
    signal,
  );
  settings.watch(
    s => s.username,
    name => face.replaceChildren(avatar(name)),
    signal,
  );
  let measuring = scope(signal);
  local.store.watch(
    s => (s.microphone.on ? s.microphone.track : null),
    track => {
      measuring.end();
      measuring = scope(signal);
      level.value = 0;
      if (track) follow(level, meter(track, measuring.signal), measuring.signal);
    },
    signal,
  );
}

/**
 * @param {HTMLMeterElement} element
 * @param {() => number} loudness
 * @param {AbortSignal} signal
 */
function follow(element, loudness, signal) {
  const step = () => {
    if (signal.aborted) return;
    element.value = loudness();
    requestAnimationFrame(step);
  };
  step();
}
