/** @import { UserMessage } from '../protocol/messages.js' */
import { Store } from './store.js';
import { clean } from './text.js';

/** Milliseconds after joining in which arrivals are the people who were there already. */
export const SETTLING = 1500;

/**
 * Somebody in the group.
 *
 * @typedef {object} Member
 * @property {string} id
 * @property {string} username cleaned; may be empty
 * @property {readonly string[]} permissions
 * @property {boolean} muted has told the others that the microphone is off
 * @property {number} hand when the hand went up, in milliseconds; 0 if it is down
 * @property {boolean} stale was there before the connection was lost
 */

/** @typedef {{ kind: 'joined' | 'left' | 'hand' | 'recording' | 'unrecording', member: Member }} Happening */

/** Who is in the group, by client id, in the order in which they came. */
export class Roster {
  store = new Store({ members: /** @type {ReadonlyMap<string, Member>} */ (new Map()) });
  #now;
  #onhappening;
  #since = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settle;

  /**
   * @param {(happening: Happening) => void} onhappening what is worth telling people
   * @param {() => number} [now]
   */
  constructor(onhappening, now = Date.now) {
    this.#onhappening = onhappening;
    this.#now = now;
  }

  /** Says that the list is about to be sent anew; who is not in it goes after a while. */
  begin() {
    this.#since = this.#now();
    const stale = [...this.store.value.members].map(
      ([id, m]) => /** @type {const} */ ([id, { ...m, stale: true }]),
    );
    this.store.update({ members: new Map(stale) });
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#dropStale(), SETTLING);
  }

  clear() {
    clearTimeout(this.#settle);
    this.store.update({ members: new Map() });
  }

  /**
   * @param {UserMessage} message
   * @param {string} self own client id
   */
  handle(message, self) {
    const members = new Map(this.store.value.members);
    const before = members.get(message.id);
    if (message.kind === 'delete') {
      members.delete(message.id);
      this.store.update({ members });
      if (before) this.#tell(isRecorder(before) ? 'unrecording' : 'left', before);
      return;
    }
    const member = this.#read(message, before);
    members.set(member.id, member);
    this.store.update({ members });
    if (member.id === self) return;
    if (!before) this.#tell(isRecorder(member) ? 'recording' : 'joined', member);
    else if (member.hand && !before.hand) this.#tell('hand', member);
  }

  /**
   * @param {UserMessage} message
   * @param {Member | undefined} before
   * @returns {Member}
   */
  #read(message, before) {
    const data = message.data ?? {};
    return {
      id: message.id,
      username: clean(message.username ?? before?.username),
      permissions: message.permissions ?? [],
      muted: data.muted === true,
      hand: data.raisehand ? before?.hand || this.#now() : 0,
      stale: false,
    };
  }

  /**
   * @param {Happening['kind']} kind
   * @param {Member} member
   */
  #tell(kind, member) {
    if (this.#now() - this.#since < SETTLING && kind !== 'recording') return;
    this.#onhappening({ kind, member });
  }

  #dropStale() {
    const members = [...this.store.value.members].filter(([, m]) => !m.stale);
    if (members.length < this.store.value.members.size) {
      this.store.update({ members: new Map(members) });
    }
  }
}

/**
 * Whether a member is the server's recorder.
 *
 * @param {Member} member
 */
export function isRecorder(member) {
  return member.permissions.includes('system');
}

/**
 * The people of a group as a list shows them: oneself, hands in order of raising,
 * operators, then the others by name.
 *
 * @param {ReadonlyMap<string, Member>} members
 * @param {string} self own client id
 * @returns {Member[]}
 */
export function inOrder(members, self) {
  /** @param {Member} m */
  const rank = m =>
    m.id === self ? 0 : m.hand ? 1 : m.permissions.includes('op') ? 2 : 3;
  return [...members.values()]
    .filter(m => !isRecorder(m))
    .sort(
      (a, b) =>
        rank(a) - rank(b) || a.hand - b.hand || a.username.localeCompare(b.username),
    );
}
