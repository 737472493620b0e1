/** @import { GroupStatus } from './protocol/messages.js' */
import { createMeeting } from './state/meeting.js';
import { openSettings } from './state/settings.js';
import { fetchStatus, groupOf } from './state/status.js';
import { Store } from './state/store.js';
import { mountGroup } from './ui/group.js';
import { mountShell } from './ui/shell.js';
import { plain } from './ui/view.js';

const { signal } = new AbortController();
const token = takeToken();
const status = await readStatus();
const settings = openSettings();
const group = status.name || groupOf(location.pathname);
const meeting = createMeeting({ group, status, settings, page: location }, signal);
const look = new Store({ ...plain });

mountShell(
  settings,
  (words, life) => {
    document.body.replaceChildren();
    mountGroup(document.body, { ...meeting, words, look }, { token }, life);
  },
  signal,
);
if (!status.redirect) void meeting.local.start();

window.addEventListener('focus', () => meeting.session.hurry());
window.addEventListener('online', () => meeting.session.moved());

/** Takes the invitation out of the address, so that it is not copied along with it. */
function takeToken() {
  const url = new URL(location.href);
  const given = url.searchParams.get('token') ?? '';
  if (given) {
    url.searchParams.delete('token');
    history.replaceState(null, '', url);
  }
  return given;
}

/**
 * A status that cannot be had does not keep anybody out: the server will say why.
 *
 * @returns {Promise<GroupStatus>}
 */
async function readStatus() {
  try {
    return (await fetchStatus()) ?? {};
  } catch {
    return {};
  }
}
