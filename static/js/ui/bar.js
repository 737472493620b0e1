/** @import { Key } from '../i18n/words.js' */
/** @import { View } from './view.js' */
import { canShare } from '../media/capture.js';
import { isRecorder } from '../state/roster.js';
import { el, icon, on, setAttribute, setIcon } from './dom.js';
import { toggleHand, togglePanel, toggleShare } from './deeds.js';
import { menuButton } from './menu.js';
import { moreGroups } from './more.js';
import { mountSource } from './sources.js';

/**
 * The controls of the meeting.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountBar(root, view, signal) {
  const { words, session, local, chat, roster, look } = view;
  const bar = el('section', { class: 'bar', 'aria-label': words.t('controls') });
  root.append(bar);
  const sources = [
    mountSource(bar, view, 'microphone', signal),
    mountSource(bar, view, 'camera', signal),
  ];

  const share = control('screen-share', 'share.start', 'wide-only', () =>
    toggleShare(view),
  );
  local.store.watch(
    s => s.sharing,
    sharing => {
      share.say(words.t(sharing ? 'share.stop' : 'share.start'));
      share.press(sharing);
      setIcon(share.picture, sharing ? 'screen-share-off' : 'screen-share');
    },
    signal,
  );
  session.store.watch(
    s => s.permissions.includes('present'),
    may => {
      for (const element of [...sources, share.element]) {
        element.disabled = !may;
        if (!may) element.title = words.t('present.not');
      }
      share.element.hidden = !canShare();
    },
    signal,
  );

  const hand = control('hand', 'hand.raise', 'wide-only', () => toggleHand(view));
  session.store.watch(
    s => s.hand,
    up => {
      hand.say(words.t(up ? 'hand.lower' : 'hand.raise'));
      hand.press(up);
    },
    signal,
  );

  const talk = control('message-square', 'chat', '', () => togglePanel(view, 'chat'));
  chat.store.watch(
    s => s.unread,
    count =>
      talk.count(count, count ? words.t('chat.unread', { count }) : words.t('chat')),
    signal,
  );
  const people = control('users', 'people', 'wide-only', () =>
    togglePanel(view, 'people'),
  );
  roster.store.watch(
    s => [...s.members.values()].filter(m => !isRecorder(m)).length,
    count => people.count(count, ''),
    signal,
  );
  look.watch(
    s => s.panel,
    panel => {
      talk.expand(panel === 'chat');
      people.expand(panel === 'people');
    },
    signal,
  );

  const more = control('ellipsis', 'more', '', () => {});
  menuButton(
    more.element,
    () => ({ label: words.t('more'), groups: moreGroups(view, signal) }),
    signal,
  );
  const leave = control('phone-off', 'leave', 'leave', () => session.leave());
  bar.append(leave.element);

  /**
   * @param {string} name of its picture
   * @param {Key} label
   * @param {string} className
   * @param {() => void} act
   */
  function control(name, label, className, act) {
    const picture = icon(name);
    const text = el('span', { class: 'bar-text' }, words.t(label));
    const number = el('span', { class: 'count', hidden: true });
    const suffix = el('span', { class: 'visually-hidden' });
    const element = el(
      'button',
      { type: 'button', class: `bar-button ${className}`.trim(), title: words.t(label) },
      picture,
      text,
      number,
      suffix,
    );
    on(element, 'click', act, signal);
    bar.append(element);
    return {
      element,
      picture,
      /** @param {string} said */
      say: said => {
        text.textContent = said;
        element.title = said;
      },
      /** @param {boolean} pressed */
      press: pressed => element.setAttribute('aria-pressed', String(pressed)),
      /** @param {boolean} expanded */
      expand: expanded => setAttribute(element, 'aria-expanded', String(expanded)),
      /**
       * @param {number} count
       * @param {string} said what is counted, for those who cannot tell by the picture
       */
      count: (count, said) => {
        number.hidden = count === 0;
        number.textContent = words.number(count);
        suffix.textContent = count === 0 ? '' : said;
      },
    };
  }
}
