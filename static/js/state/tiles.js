/** @import { Member } from './roster.js' */
/** @import { RemoteStream } from './subscriber.js' */
import { isRecorder } from './roster.js';

/**
 * A place on the stage: a person, or something that a person shows.
 *
 * @typedef {object} Tile
 * @property {string} key stays the same for as long as the tile is the same
 * @property {Member | null} member null if the sender is not among the members
 * @property {RemoteStream | null} stream what it shows; null for a person without any
 * @property {string} username
 * @property {boolean} self
 * @property {boolean} share whether it is shown whole, never cropped
 */

/** Labels of streams that show something other than a person. */
const SHARES = new Set(['screenshare', 'video']);

/**
 * The tiles of a meeting: what is shared, the others in the order in which they came, and
 * oneself.
 *
 * @param {ReadonlyMap<string, Member>} members
 * @param {ReadonlyMap<string, RemoteStream>} streams
 * @param {string} self own client id
 * @returns {Tile[]}
 */
export function tilesOf(members, streams, self) {
  const shares = [];
  const people = [];
  const left = new Map(streams);
  for (const member of members.values()) {
    if (isRecorder(member)) continue;
    const own = [...streams.values()].filter(s => s.source === member.id);
    const cameras = own.filter(s => !SHARES.has(s.label));
    const main = current(cameras.filter(s => s.label === cameras[0]?.label));
    people.push(tile(`member ${member.id}`, member, main, member.id === self));
    for (const stream of own) {
      left.delete(stream.id);
      if (SHARES.has(stream.label)) {
        shares.push(tile(`stream ${stream.id}`, member, stream, false));
      } else if (stream.label !== main?.label) {
        people.push(tile(`stream ${stream.id}`, member, stream, false));
      }
    }
  }
  for (const stream of left.values()) {
    const strange = tile(`stream ${stream.id}`, null, stream, false);
    (SHARES.has(stream.label) ? shares : people).push(strange);
  }
  people.sort((a, b) => Number(a.self) - Number(b.self));
  return [...shares, ...people];
}

/**
 * While one stream takes the place of another, the old one is shown until the new one is
 * there.
 *
 * @param {RemoteStream[]} streams
 * @returns {RemoteStream | null}
 */
function current(streams) {
  return streams.findLast(s => s.health === 'good' || !s.video) ?? streams[0] ?? null;
}

/**
 * @param {string} key
 * @param {Member | null} member
 * @param {RemoteStream | null} stream
 * @param {boolean} self
 * @returns {Tile}
 */
function tile(key, member, stream, self) {
  return {
    key,
    member,
    stream,
    username: member?.username ?? stream?.username ?? '',
    self,
    share: SHARES.has(stream?.label ?? ''),
  };
}

/**
 * The tiles that have room, those with a picture first, then those with a voice; oneself
 * is always there.
 *
 * @param {Tile[]} tiles
 * @param {number} room how many there is room for, at least 1
 * @returns {Tile[]} in the order of `tiles`
 */
export function fitting(tiles, room) {
  if (tiles.length <= room) return tiles;
  /** @param {Tile} t */
  const rank = t =>
    t.self ? 0 : t.stream?.pictured ? 1 : t.member?.hand ? 2 : t.stream?.audio ? 3 : 4;
  const chosen = new Set([...tiles].sort((a, b) => rank(a) - rank(b)).slice(0, room));
  return tiles.filter(t => chosen.has(t));
}
