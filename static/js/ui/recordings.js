/** @import { Key, Words } from '../i18n/words.js' */

/**
 * Keys of the page's words. The page itself comes from the server, which knows what there
 * is to list.
 *
 * @type {Key[]}
 */
const KEYS = [
  'recordings.action',
  'recordings.delete',
  'recordings.delete.name',
  'recordings.name',
  'recordings.none',
  'recordings.of',
  'recordings.size',
];

/**
 * Puts the words of a language into the list of a group's recordings: `data-key` is the
 * key of an element's text, `data-label` that of its accessible name, and `data-name` what
 * they are about.
 *
 * @param {Words} words
 */
export function mountRecordings(words) {
  for (const element of document.querySelectorAll('[data-key]')) {
    const params = { name: element.getAttribute('data-name') ?? '' };
    const text = KEYS.find(key => key === element.getAttribute('data-key'));
    if (text) element.textContent = words.t(text, params);
    const label = KEYS.find(key => key === element.getAttribute('data-label'));
    if (label) element.setAttribute('aria-label', words.t(label, params));
  }
}
