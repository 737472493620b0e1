/**
 * @file The messages on the WebSocket, as discriminated unions: what the server sends and
 * what a client may send. Version 2 of the protocol; every message is one JSON object.
 */

/** The protocol version this client speaks. */
export const VERSION = '2';

/** @typedef {Record<string, unknown>} Data user or group data; null removes a key */

/**
 * What is known about a group, from its `.status` or from a `joined` message.
 *
 * @typedef {object} GroupStatus
 * @property {string} [name]
 * @property {string} [location]
 * @property {string} [endpoint] URL of the WebSocket
 * @property {string} [redirect] where the group lives instead
 * @property {string} [displayName]
 * @property {string} [description]
 * @property {string} [authServer]
 * @property {string} [authPortal]
 * @property {boolean} [locked]
 * @property {number} [clientCount]
 * @property {boolean} [canChangePassword]
 */

/** @typedef {'audio' | 'video' | 'video-low'} Wanted */
/** @typedef {Record<string, Wanted[]>} RequestMap what to receive, by stream label */

/**
 * @typedef {{ type: 'handshake', version: string[], id?: string }} Handshake
 * @typedef {{ type: 'ping' }} Ping
 * @typedef {{ type: 'pong' }} Pong
 */

/**
 * @typedef {object} JoinedFields
 * @property {'joined'} type
 * @property {string} [group]
 * @property {string} [username]
 * @property {string[]} [permissions]
 * @property {GroupStatus} [status]
 * @property {Data} [data] group data
 * @property {RTCConfiguration} [rtcConfiguration]
 */
/** @typedef {JoinedFields & { kind: 'join' | 'change' | 'leave' }} JoinedState */
/** @typedef {JoinedFields & { kind: 'fail', error?: string, value?: string }} JoinedFail */
/** @typedef {JoinedFields & { kind: 'redirect', value?: string }} JoinedRedirect */
/** @typedef {JoinedState | JoinedFail | JoinedRedirect} Joined */

/**
 * @typedef {object} UserMessage
 * @property {'user'} type
 * @property {'add' | 'change' | 'delete'} kind
 * @property {string} id
 * @property {string} [username]
 * @property {string[]} [permissions]
 * @property {Data} [data]
 */

/**
 * @typedef {object} ChatFields
 * @property {string} [kind] '', 'me', 'caption' or anything else
 * @property {string} [id]
 * @property {string} [source] client id of the author
 * @property {string} [dest] client id of the receiver of a private message
 * @property {string} [username]
 * @property {boolean} [privileged]
 * @property {boolean} [noecho]
 * @property {string} [time] RFC 3339
 * @property {unknown} [value]
 */
/** @typedef {ChatFields & { type: 'chat' }} ChatMessage */
/** @typedef {ChatFields & { type: 'chathistory' }} ChatHistoryMessage */
/** @typedef {ChatFields & { type: 'usermessage', error?: string }} UserDirectMessage */

/**
 * @typedef {object} OfferMessage
 * @property {'offer'} type
 * @property {string} id
 * @property {string} [label]
 * @property {string} [source]
 * @property {string} [username]
 * @property {string} [replace] id of the stream that this one takes the place of
 * @property {string} sdp
 */
/** @typedef {{ type: 'answer', id: string, sdp: string }} AnswerMessage */
/** @typedef {{ type: 'ice', id: string, candidate: RTCIceCandidateInit }} IceMessage */
/** @typedef {{ type: 'renegotiate', id: string }} RenegotiateMessage */
/** @typedef {{ type: 'close', id: string }} CloseMessage */
/** @typedef {{ type: 'abort', id: string }} AbortMessage */

/**
 * @typedef {Handshake | Ping | Pong | Joined | UserMessage | ChatMessage
 *   | ChatHistoryMessage | UserDirectMessage | OfferMessage | AnswerMessage | IceMessage
 *   | RenegotiateMessage | CloseMessage | AbortMessage} ServerMessage
 */

/**
 * Handlers by message type; the compiler insists on one for each.
 *
 * @template {ServerMessage['type']} T
 * @typedef {{ [K in T]: (m: Extract<ServerMessage, { type: K }>) => void }} Handlers
 */

/**
 * The types that the owner of a connection handles; the others are the connection's own.
 *
 * @typedef {Exclude<ServerMessage['type'], 'handshake' | 'ping' | 'pong'>} GroupMessageType
 */

/**
 * @typedef {object} JoinRequest
 * @property {'join'} type
 * @property {'join' | 'leave'} kind
 * @property {string} group
 * @property {string} [username]
 * @property {string} [password]
 * @property {string} [token]
 * @property {Data} [data]
 */

/** @typedef {'op' | 'unop' | 'present' | 'unpresent' | 'shutup' | 'unshutup'} PermissionAction */
/** @typedef {PermissionAction | 'identify' | 'kick' | 'setdata'} UserActionKind */
/** @typedef {'clearchat' | 'lock' | 'unlock' | 'record' | 'unrecord'} GroupActionKind */

/**
 * @typedef {object} ActionFields
 * @property {string} [source]
 * @property {string} [username]
 * @property {unknown} [value]
 */
/** @typedef {ActionFields & { type: 'useraction', kind: UserActionKind, dest: string }} UserAction */
/** @typedef {ActionFields & { type: 'groupaction', kind: GroupActionKind }} GroupAction */

/** @typedef {{ type: 'request', request: RequestMap }} RequestMessage */
/** @typedef {{ type: 'requestStream', id: string, request: Wanted[] | null }} RequestStream */

/**
 * @typedef {Handshake | Ping | Pong | JoinRequest | ChatMessage | UserDirectMessage
 *   | UserAction | GroupAction | RequestMessage | RequestStream | OfferMessage
 *   | AnswerMessage | IceMessage | RenegotiateMessage | CloseMessage | AbortMessage} ClientMessage
 */

/**
 * A random identifier of 128 bits, in hexadecimal: for clients and for streams.
 *
 * @returns {string}
 */
export function newID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('');
}

/**
 * Reads one frame. The server may add types that this client does not know; those are
 * returned too, and it is for the dispatcher to pass over them.
 *
 * @param {unknown} frame what the WebSocket delivered
 * @returns {ServerMessage | null} null if it is no message at all
 */
export function decode(frame) {
  if (typeof frame !== 'string') return null;
  try {
    const value = JSON.parse(frame);
    if (typeof value !== 'object' || value === null) return null;
    return typeof value.type === 'string' ? value : null;
  } catch {
    return null;
  }
}
