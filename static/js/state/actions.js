/** @import { PermissionAction } from '../protocol/messages.js' */
/** @import { Chat } from './chat.js' */
/** @import { Member } from './roster.js' */
/** @import { Session } from './session.js' */

/** What a person does to others and to the group: chat and moderation. */
export class Actions {
  #session;
  #chat;

  /**
   * @param {Session} session
   * @param {Chat} chat
   */
  constructor(session, chat) {
    this.#session = session;
    this.#chat = chat;
  }

  /**
   * Says something, to all or to one.
   *
   * @param {string} text `/me …` tells what one does
   * @param {{ id: string, username: string } | null} to
   * @returns {boolean} whether it went out
   */
  say(text, to) {
    const action = text.startsWith('/me ');
    const value = action ? text.slice(4) : text;
    const sent = this.#session.send({
      type: 'chat',
      kind: action ? 'me' : '',
      value,
      ...(to && { dest: to.id }),
    });
    if (sent && to) {
      const { id: source, username } = this.#session.store.value;
      const peer = { peer: to.id, peerName: to.username };
      this.#chat.addPrivate({ source, username, ...peer, text: value, action });
    }
    return sent;
  }

  /** @param {Member} member */
  mute(member) {
    this.#session.send({ type: 'usermessage', kind: 'mute', dest: member.id });
  }

  muteAll() {
    this.#session.send({ type: 'usermessage', kind: 'mute', noecho: true });
  }

  /**
   * @param {Member} member
   * @param {PermissionAction | 'identify'} kind
   */
  change(member, kind) {
    this.#session.send({ type: 'useraction', kind, dest: member.id });
  }

  /**
   * Removes somebody from the group.
   *
   * @param {Member} member
   * @param {string} reason told to that person; may be empty
   */
  kick(member, reason) {
    const value = reason || undefined;
    this.#session.send({ type: 'useraction', kind: 'kick', dest: member.id, value });
  }

  /** @param {boolean} locked */
  lock(locked) {
    this.#session.send({ type: 'groupaction', kind: locked ? 'lock' : 'unlock' });
  }

  /** @param {boolean} on */
  record(on) {
    this.#session.send({ type: 'groupaction', kind: on ? 'record' : 'unrecord' });
  }

  clearChat() {
    this.#session.send({ type: 'groupaction', kind: 'clearchat' });
  }
}
