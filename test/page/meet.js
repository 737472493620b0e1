/** @import { LocalMedia } from '../../static/js/state/local-media.js' */
/** @import { Publisher } from '../../static/js/state/publisher.js' */
/** @import { Subscriber } from '../../static/js/state/subscriber.js' */
import { Connection } from '../../static/js/protocol/connection.js';
import { Chat } from '../../static/js/state/chat.js';
import { Notices } from '../../static/js/state/notices.js';
import { Roster } from '../../static/js/state/roster.js';
import { Session } from '../../static/js/state/session.js';
import { Store } from '../../static/js/state/store.js';
import { FakeSocket } from './fakes.js';

/** Devices that are not there: only what the session asks of them. */
function fakeMedia() {
  const calls = /** @type {string[]} */ ([]);
  const store = new Store({ microphone: { on: true } });
  const local = {
    store,
    /** @param {boolean} on */
    setMicrophone: on => store.update({ microphone: { on } }),
    close: () => calls.push('close devices'),
    release: () => calls.push('release'),
  };
  const publisher = {
    /** @param {boolean} on */
    enable: on => calls.push(`enable ${on}`),
    reset: () => calls.push('reset'),
    /** @param {string} id */
    aborted: id => calls.push(`aborted ${id}`),
    find: () => undefined,
  };
  const subscriber = {
    /** @param {{ id: string }} m */
    offer: m => calls.push(`offer ${m.id}`),
    /** @param {string} id */
    close: id => calls.push(`close ${id}`),
    /** @param {string} id */
    ice: id => calls.push(`ice ${id}`),
    reset: () => calls.push('down reset'),
  };
  return {
    calls,
    local: /** @type {LocalMedia} */ (/** @type {unknown} */ (local)),
    publisher: /** @type {Publisher} */ (/** @type {unknown} */ (publisher)),
    subscriber: /** @type {Subscriber} */ (/** @type {unknown} */ (subscriber)),
  };
}

/** A session with servers that the test plays. */
export function meet() {
  /** @type {FakeSocket[]} */
  const sockets = [];
  const media = fakeMedia();
  const chat = new Chat();
  const notices = new Notices();
  const roster = new Roster(() => {});
  const session = new Session(
    {
      group: 'g',
      endpoint: () => 'wss://example.org/ws',
      connect: options =>
        new Connection({
          ...options,
          socket: () => {
            const socket = new FakeSocket();
            sockets.push(socket);
            return socket;
          },
        }),
      chat,
      notices,
      roster,
      request: () => ({ '': ['audio', 'video'] }),
      ...media,
    },
    {},
  );
  const last = () => /** @type {FakeSocket} */ (sockets.at(-1));
  const enter = (username = 'Ann') => {
    last().accept();
    last().receive({
      type: 'joined',
      kind: 'join',
      group: 'g',
      username,
      permissions: ['present', 'message'],
      rtcConfiguration: { iceServers: [] },
    });
  };
  return {
    session,
    chat,
    notices,
    sockets,
    last,
    enter,
    calls: media.calls,
    local: media.local,
  };
}

export const ann = { username: 'Ann', password: '', token: '' };
