/** @import { GroupStatus } from '../protocol/messages.js' */

/**
 * The path below which the server is published, with a slash at its end.
 *
 * @param {string} module the address of this module
 * @returns {string} `/` unless there is a proxy that shows the server elsewhere
 */
export function rootOf(module) {
  const root = new URL('../..', module);
  return /^https?:$/u.test(root.protocol) ? root.pathname : '/';
}

const ROOT = rootOf(import.meta.url);

/**
 * The name of the group that a page belongs to.
 *
 * @param {string} pathname of the page, `/group/NAME/` below the root
 * @param {string} [root]
 * @returns {string} '' if it is no group's page
 */
export function groupOf(pathname, root = ROOT) {
  if (!pathname.startsWith(root)) return '';
  const match = /^group\/(.+?)\/?$/u.exec(pathname.slice(root.length));
  try {
    return decodeURIComponent(match?.[1] ?? '');
  } catch {
    return '';
  }
}

/**
 * The path of a group's page, for a name with any letters in it.
 *
 * @param {string} name
 * @param {string} [root]
 * @returns {string}
 */
export function pathOf(name, root = ROOT) {
  return `${root}group/${name.split('/').map(encodeURIComponent).join('/')}/`;
}

/**
 * The address of the WebSocket: what the status says, else `ws` below the root of the
 * page's host.
 *
 * @param {GroupStatus | null} status
 * @param {{ protocol: string, host: string }} page
 * @returns {string}
 */
export function endpointOf(status, page) {
  const given = status?.endpoint ?? '';
  if (URL.canParse(given) && /^wss?:$/u.test(new URL(given).protocol)) return given;
  return `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}${ROOT}ws`;
}

/**
 * A web address that came from the server, if it is one that a link may lead to.
 *
 * @param {unknown} value
 * @param {string} base
 * @returns {URL | null}
 */
export function webURL(value, base) {
  if (typeof value !== 'string' || !URL.canParse(value, base)) return null;
  const url = new URL(value, base);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : null;
}

/**
 * Fetches a JSON document from this server.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<unknown>} undefined if there is no such document (404)
 */
async function fetchJSON(path, signal) {
  const response = await fetch(path, { signal, cache: 'no-cache' });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

/**
 * Fetches the status of the group whose page this is.
 *
 * @returns {Promise<GroupStatus | undefined>} undefined if the group does not exist
 */
export async function fetchStatus() {
  return /** @type {GroupStatus | undefined} */ (await fetchJSON('.status'));
}

/**
 * Fetches the groups that are shown to everybody.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<GroupStatus[]>}
 */
export async function fetchPublicGroups(signal) {
  const groups = await fetchJSON(`${ROOT}public-groups.json`, signal);
  return Array.isArray(groups) ? groups.filter(g => typeof g?.name === 'string') : [];
}
