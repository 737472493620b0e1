/** @import { Words } from '../i18n/words.js' */
/** @import { Failure } from '../state/failure.js' */

/**
 * Why one was not let in, in words.
 *
 * @param {Words} words
 * @param {Failure} failure
 */
export function refusal(words, { kind, text }) {
  if (kind === 'locked' && text) return words.t('refused.locked.text', { text });
  return words.t(`refused.${kind}`, { text });
}
