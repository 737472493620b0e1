/** @import { Words } from '../i18n/words.js' */
/** @import { Meeting } from '../state/meeting.js' */
/** @import { Store } from '../state/store.js' */

/**
 * How the meeting is being looked at.
 *
 * @typedef {object} Look
 * @property {'chat' | 'people' | null} panel which side panel is open
 * @property {string} recipient member to whom the next message goes; '' is all
 * @property {boolean} soundBlocked the browser waits for a click before it plays sound
 */

/**
 * What components of a group's page draw from.
 *
 * @typedef {Meeting & { words: Words, look: Store<Look> }} View
 */

/** @type {Look} */
export const plain = { panel: null, recipient: '', soundBlocked: false };
