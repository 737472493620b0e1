/** @import { MenuGroup, MenuItem } from './menu.js' */
/** @import { View } from './view.js' */
import { canShare } from '../media/capture.js';
import { isRecorder } from '../state/roster.js';
import { toggleHand, togglePanel, toggleShare } from './deeds.js';
import { ask } from './dialog.js';
import { openSettings } from './settings.js';
import { openShortcuts } from './shortcuts.js';
import { openNotices } from './toasts.js';

/** The width below which the bar has no room for everything: as in bar.css. */
const NARROW = '(width < 40rem)';

/**
 * What the menu "More" holds.
 *
 * @param {View} view
 * @param {AbortSignal} signal of the meeting
 * @returns {MenuGroup[]}
 */
export function moreGroups(view, signal) {
  const { words } = view;
  const narrow = matchMedia(NARROW).matches;
  return [
    { items: narrow ? displaced(view) : [] },
    { label: words.t('host'), items: hostItems(view, signal) },
    {
      items: [
        {
          label: words.t('settings'),
          icon: 'settings',
          act: () => openSettings(view, signal),
        },
        {
          label: words.t('notices'),
          icon: 'bell',
          act: () => openNotices(view, signal),
        },
        {
          label: words.t('shortcuts'),
          icon: 'keyboard',
          hint: '?',
          act: () => openShortcuts(view, signal),
        },
      ],
    },
  ];
}

/**
 * What the bar has no room for.
 *
 * @param {View} view
 * @returns {MenuItem[]}
 */
function displaced(view) {
  const { words, local, session } = view;
  const { sharing } = local.store.value;
  const { hand, permissions } = session.store.value;
  const share = {
    label: words.t(sharing ? 'share.stop' : 'share.start'),
    icon: sharing ? 'screen-share-off' : 'screen-share',
    disabled: !permissions.includes('present'),
    act: () => toggleShare(view),
  };
  return [
    {
      label: words.t('people'),
      icon: 'users',
      act: () => togglePanel(view, 'people'),
    },
    {
      label: words.t(hand ? 'hand.lower' : 'hand.raise'),
      icon: 'hand',
      act: () => toggleHand(view),
    },
    ...(canShare() ? [share] : []),
  ];
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 * @returns {MenuItem[]}
 */
function hostItems({ words, session, roster, actions }, signal) {
  const { permissions, status } = session.store.value;
  const recording = [...roster.store.value.members.values()].some(isRecorder);
  const record = {
    label: words.t(recording ? 'record.stop' : 'record.start'),
    icon: 'circle-dot',
    act: () => actions.record(!recording),
  };
  const records = permissions.includes('record') ? [record] : [];
  if (!permissions.includes('op')) return records;
  return [
    {
      label: words.t(status.locked ? 'unlock' : 'lock'),
      icon: status.locked ? 'lock-open' : 'lock',
      act: () => actions.lock(!status.locked),
    },
    {
      label: words.t('mute.all'),
      icon: 'mic-off',
      act: () => actions.muteAll(),
    },
    ...records,
    {
      label: words.t('chat.clear'),
      icon: 'eraser',
      act: () =>
        ask({
          words,
          title: words.t('chat.clear'),
          text: words.t('chat.clear.ask'),
          confirm: words.t('chat.clear.yes'),
          act: () => actions.clearChat(),
          signal,
        }),
    },
  ];
}
