/** @import { UserDirectMessage } from '../protocol/messages.js' */
/** @import { Chat } from './chat.js' */
/** @import { LocalMedia } from './local-media.js' */
/** @import { Key } from '../i18n/words.js' */
/** @import { Notices } from './notices.js' */
/** @import { Roster } from './roster.js' */
/** @import { Ending } from './session-state.js' */
import { clean } from './text.js';

/** @typedef {{ notices: Notices, chat: Chat, local: LocalMedia, roster: Roster }} Parts */

/**
 * What the server says in its own language, in ours.
 *
 * @type {Record<string, Key>}
 */
const texts = {
  'not authorised': 'server.refused',
  'user unknown': 'chat.gone',
  'no such user': 'server.gone',
  'client not found': 'server.gone',
  "this user doesn't chat": 'server.silent',
  'this is not a real user': 'server.machine',
  'already recording': 'server.recording',
};

/** What the page says itself, when the permissions change. */
const known = 'permission denied';

/**
 * Does what the server or an operator says. Anybody may send such a message; only those
 * that the server marks as privileged count.
 *
 * @param {Parts} parts
 * @param {UserDirectMessage} message
 * @returns {Ending | null} how the meeting ends, if it was that
 */
export function told(parts, message) {
  if (!message.privileged) return null;
  const text = clean(message.value);
  const by = clean(message.username);
  switch (message.kind) {
    case 'kicked':
      return { kind: 'kicked', text, by };
    case 'error':
    case 'warning':
    case 'info':
      if (text === known) return null;
      parts.notices.add(message.kind, texts[text] ?? 'notice.server', { text });
      return null;
    case 'mute':
      mute(parts, by);
      return null;
    case 'clearchat':
      parts.chat.clear(message.value);
      return null;
    case 'userinfo':
      identify(parts, message.value);
      return null;
  }
  return null;
}

/**
 * @param {Parts} parts
 * @param {string} by
 */
function mute({ local, notices }, by) {
  if (!local.store.value.microphone.on) return;
  void local.setMicrophone(false);
  if (by) notices.add('warning', 'notice.muted.by', { name: by });
  else notices.add('warning', 'notice.muted');
}

/**
 * @param {Parts} parts
 * @param {unknown} value
 */
function identify({ notices, roster }, value) {
  const {
    id = '',
    username,
    address,
  } = /** @type {Record<string, string>} */ (value ?? {});
  const listed = roster.store.value.members.get(id)?.username;
  const name = clean(username) || listed || '';
  notices.add('info', 'notice.identity', { name, address: clean(address) });
}

/**
 * What one may do in a group, as people know it.
 *
 * @type {[permission: string, given: Key, taken: Key][]}
 */
const rights = [
  ['op', 'right.op', 'right.unop'],
  ['present', 'right.present', 'right.unpresent'],
  ['message', 'right.unshutup', 'right.shutup'],
];

/**
 * Says which rights one was given, and which were taken away.
 *
 * @param {Notices} notices
 * @param {readonly string[]} before
 * @param {readonly string[]} after
 */
export function tellRights(notices, before, after) {
  for (const [permission, given, taken] of rights) {
    const had = before.includes(permission);
    if (had === after.includes(permission)) continue;
    if (had) notices.add('warning', taken);
    else notices.add('info', given);
  }
}
