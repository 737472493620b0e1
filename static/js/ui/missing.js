/** @import { Key, Words } from '../i18n/words.js' */

/**
 * Puts the words of a language into a page that is readable without them: each element
 * with `data-key` gets the words of that key.
 *
 * @param {Words} words
 */
export function mountMissing(words) {
  document.title = words.t('missing.title');
  for (const element of document.querySelectorAll('[data-key]')) {
    const key = /** @type {Key} */ (element.getAttribute('data-key'));
    element.textContent = words.t(key);
  }
}
