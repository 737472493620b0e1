/** @import { View } from './view.js' */

/**
 * Opens a side panel, or closes it if it is open.
 *
 * @param {View} view
 * @param {'chat' | 'people'} panel
 */
export function togglePanel({ look }, panel) {
  look.update({ panel: look.value.panel === panel ? null : panel });
}

/**
 * Shares the screen, or stops.
 *
 * @param {View} view
 */
export function toggleShare({ local, session }) {
  if (!session.store.value.permissions.includes('present')) return;
  if (local.store.value.sharing) local.stopShare();
  else void local.share();
}

/**
 * Raises one's hand, or lowers it.
 *
 * @param {View} view
 */
export function toggleHand({ session }) {
  session.raise(!session.store.value.hand);
}
