/** @import { ClientMessage, GroupStatus, RequestMap } from '../protocol/messages.js' */
/** @import { Happening } from './roster.js' */
/** @import { Settings } from './settings.js' */
/** @import { Store } from './store.js' */
import { Connection } from '../protocol/connection.js';
import { Actions } from './actions.js';
import { Attention } from './attention.js';
import { Chat } from './chat.js';
import { LocalMedia } from './local-media.js';
import { Notices } from './notices.js';
import { Publisher } from './publisher.js';
import { Roster } from './roster.js';
import { Session } from './session.js';
import { Sizes } from './sizes.js';
import { endpointOf } from './status.js';
import { Speakers } from './speakers.js';
import { Subscriber } from './subscriber.js';

/** @type {Record<Settings['receive'], RequestMap>} */
const requests = {
  everything: { '': ['audio', 'video'] },
  low: { '': ['audio', 'video-low'], screenshare: ['audio', 'video'] },
  share: { '': ['audio'], screenshare: ['audio', 'video'] },
  audio: { '': ['audio'] },
};

/**
 * All that a group's page draws from.
 *
 * @typedef {ReturnType<typeof createMeeting>} Meeting
 */

/**
 * Puts the parts of a meeting together.
 *
 * @param {object} options
 * @param {string} options.group
 * @param {GroupStatus} options.status
 * @param {Store<Settings>} options.settings
 * @param {{ protocol: string, host: string }} options.page
 * @param {AbortSignal} signal ends it
 */
export function createMeeting({ group, status, settings, page }, signal) {
  const notices = new Notices();
  const local = new LocalMedia(settings, notices);
  const chat = new Chat();
  const roster = new Roster(happening => tell(notices, happening));
  // The session and the streams need each other; it is there before anything is sent.
  /** @type {{ session?: Session }} */
  const late = {};
  /** @param {ClientMessage} message */
  const send = message => void late.session?.send(message);
  const configuration = () => late.session?.configuration ?? {};
  const request = () => requests[settings.value.receive];
  const subscriber = new Subscriber(send, configuration);
  const attention = new Attention({ streams: subscriber.store, send, request }, signal);
  const sizes = new Sizes({ roster: roster.store, settings }, signal);
  const publisher = new Publisher(
    {
      local: local.store,
      sizes: sizes.store,
      send,
      configuration,
      onbroken: () => notices.add('error', 'notice.unpublished'),
    },
    signal,
  );
  const session = new Session(
    {
      group,
      endpoint: () => endpointOf(status, page),
      connect: options => new Connection(options),
      local,
      chat,
      roster,
      notices,
      publisher,
      subscriber,
      request,
    },
    status,
  );
  late.session = session;
  const speakers = new Speakers(subscriber, local, signal);
  const actions = new Actions(session, chat);
  settings.watch(
    s => s.receive,
    () => {
      session.request();
      attention.reconsider();
    },
    signal,
  );
  local.store.watch(
    s => s.microphone.on,
    on => session.setData({ muted: on ? null : true }),
    signal,
  );
  return {
    group,
    settings,
    notices,
    local,
    chat,
    roster,
    subscriber,
    session,
    speakers,
    actions,
    attention,
  };
}

/**
 * @param {Notices} notices
 * @param {Happening} happening
 */
function tell(notices, { kind, member }) {
  const params = { name: member.username };
  switch (kind) {
    case 'joined':
      notices.add('info', 'notice.joined', params, { quiet: true });
      return;
    case 'left':
      notices.add('info', 'notice.left', params, { quiet: true });
      return;
    case 'hand':
      notices.add('info', 'notice.hand', params);
      return;
    case 'recording':
      notices.add('warning', 'notice.recording');
      return;
    case 'unrecording':
      notices.add('info', 'notice.unrecording');
      return;
  }
}
