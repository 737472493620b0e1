/** @import { GroupStatus } from '../protocol/messages.js' */
/** @import { Failure } from './failure.js' */

/**
 * Where one stands.
 *
 *     door ──join──▶ joining ──joined──▶ meeting ──lost──▶ reconnecting
 *      ▲               │  ▲                │ ▲                  │
 *      ├──refused──────┤  │                │ └────joined────────┤
 *      │               ▼  │                ▼                    │
 *      └──give up── waiting              ended ◀──refused───────┘
 *
 * @typedef {'door' | 'joining' | 'waiting' | 'meeting' | 'reconnecting' | 'ended'} Phase
 */

/**
 * Why a meeting is over. `text` is what the one who ended it said, `by` who that was.
 *
 * @typedef {{ kind: 'left' | 'kicked' | 'refused', text: string, by: string }} Ending
 */

/**
 * @typedef {object} SessionState
 * @property {Phase} phase
 * @property {string} id own client id; '' before the first connection
 * @property {string} username as assigned by the server, cleaned
 * @property {readonly string[]} permissions
 * @property {GroupStatus} status
 * @property {Failure | null} failure why the last try to enter was refused
 * @property {boolean} unreachable the last try did not get as far as the group
 * @property {number} retryAt when the next try is made, in milliseconds since 1970; 0 for none
 * @property {string} redirect URL to which the group has moved
 * @property {Ending | null} ending
 * @property {number} since when one came in, in milliseconds since 1970
 * @property {boolean} hand whether one's own hand is up
 */

/** @typedef {{ username: string, password: string, token: string }} Credential kept in memory only */

/**
 * How a session begins.
 *
 * @param {GroupStatus} status
 * @returns {SessionState}
 */
export function initial(status) {
  return {
    phase: 'door',
    id: '',
    username: '',
    permissions: [],
    status,
    failure: null,
    unreachable: false,
    retryAt: 0,
    redirect: '',
    ending: null,
    since: 0,
    hand: false,
  };
}
