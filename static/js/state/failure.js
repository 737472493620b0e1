/** @import { JoinedFail } from '../protocol/messages.js' */

/**
 * Why one was not let in. `password`, `name` and `taken` are for the person to mend;
 * `locked`, `early`, `unattended` and `full` pass by themselves; the others do not.
 *
 * @typedef {'password' | 'invitation' | 'name' | 'taken' | 'locked' | 'early'
 *   | 'unattended' | 'full' | 'closed' | 'missing' | 'illegal' | 'internal'
 *   | 'other'} FailureKind
 */
/** @typedef {{ kind: FailureKind, text: string }} Failure `text`: the server's own words, if they add to it */

/** @type {Record<string, FailureKind>} */
const errors = {
  'need-username': 'name',
  'duplicate-username': 'taken',
};

/** @type {Record<string, FailureKind>} */
const texts = {
  'not authorised': 'password',
  'this group is locked': 'locked',
  'this group is not open yet': 'early',
  'there are no operators in this group': 'unattended',
  'too many users': 'full',
  'this group is closed': 'closed',
  'group does not exist': 'missing',
  'illegal group name': 'illegal',
  'internal server error': 'internal',
};

const passing = new Set(['locked', 'early', 'unattended', 'full']);

/**
 * Reads a refusal. The text of a lock is the operator's, so any text that is not known is
 * one, if it came after the credentials were found good: the name is filled in then.
 *
 * @param {JoinedFail} message
 * @param {boolean} byToken whether an invitation was shown
 * @returns {Failure}
 */
export function failureOf(message, byToken) {
  const text = typeof message.value === 'string' ? message.value : '';
  const kind = errors[message.error ?? ''] ?? texts[text.toLowerCase()];
  if (kind === 'password' && byToken) return { kind: 'invitation', text: '' };
  if (kind) return { kind, text: '' };
  return { kind: message.username ? 'locked' : 'other', text };
}

/**
 * Whether it is worth waiting and trying again.
 *
 * @param {FailureKind} kind
 */
export function passes(kind) {
  return passing.has(kind);
}
