/** @import { View } from './view.js' */
import { refusal } from './refusal.js';
import { button, el, icon, on } from './dom.js';

/**
 * What everybody must know now: that the connection is lost, that the screen is being
 * shared, that the browser holds the sound back.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountBanners(root, view, signal) {
  const { words, session, local, look } = view;
  const area = el('div', { class: 'banners' });
  root.append(area);

  const again = banner('wifi-off', words.t('retry.now'), () => session.hurry());
  again.element.setAttribute('role', 'alert');
  session.store.watch(
    s => (s.phase === 'reconnecting' ? s : null),
    state => {
      again.show(state !== null);
      if (!state) return;
      // A group that is locked, or full, is another matter than a lost connection.
      again.text.textContent = state.failure
        ? refusal(words, state.failure)
        : words.t('connection.lost');
    },
    signal,
  );

  const sharing = banner('screen-share', words.t('share.stop'), () => local.stopShare());
  sharing.text.textContent = words.t('share.on');
  local.store.watch(s => s.share !== null, sharing.show, signal);

  const sound = banner('volume-x', words.t('sound.start'), () => {
    look.update({ soundBlocked: false });
  });
  sound.text.textContent = words.t('sound.blocked');
  look.watch(s => s.soundBlocked, sound.show, signal);

  /**
   * @param {string} picture
   * @param {string} label
   * @param {() => void} act
   */
  function banner(picture, label, act) {
    const text = el('span', {});
    const control = button(label, { class: 'button small' });
    on(control, 'click', act, signal);
    const element = el('div', { class: 'banner' }, icon(picture), text, control);
    /** @param {boolean} shown */
    const show = shown => {
      if (shown) area.append(element);
      else element.remove();
    };
    return { element, text, show };
  }
}
