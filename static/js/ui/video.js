import { el } from './dom.js';

/**
 * Shows one video track after another in an element. A new one appears once its first
 * picture is there, so that nothing flickers in between.
 *
 * @param {HTMLElement} root
 * @param {{ mirror?: boolean, label?: string }} [options]
 * @returns {(track: MediaStreamTrack | null) => void}
 */
export function mountVideo(root, { mirror = false } = {}) {
  /** @type {MediaStreamTrack | null} */
  let current = null;
  return track => {
    if (track === current) return;
    current = track;
    const old = [...root.querySelectorAll('video')];
    if (!track) {
      for (const video of old) drop(video);
      return;
    }
    const video = el('video', {
      class: mirror ? 'loading mirrored' : 'loading',
      autoplay: true,
      playsinline: true,
      // Firefox has buttons of its own in it, which the keyboard would stop at.
      tabindex: -1,
      disablepictureinpicture: mirror,
    });
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    video.addEventListener(
      'loadeddata',
      () => {
        video.classList.remove('loading');
        for (const before of old) drop(before);
      },
      { once: true },
    );
    root.append(video);
    // Some browsers hold even silent pictures back to save power; they start on a touch.
    video.play().catch(() => {});
  };
}

/** @param {HTMLVideoElement} video */
function drop(video) {
  video.srcObject = null;
  video.remove();
}
