/**
 * @typedef {object} TrackStats
 * @property {number} [bitrate] bits per second
 * @property {number} [maxBitrate] bits per second
 * @property {number} [loss] from 0 to 1
 * @property {number} [jitter] milliseconds
 * @property {number} [rtt] milliseconds
 * @property {number} [sid] spatial layer
 * @property {number} [maxSid]
 * @property {number} [tid] temporal layer
 * @property {number} [maxTid]
 */

/** @typedef {{ id: string, maxBitrate?: number, tracks: TrackStats[] | null }} StreamStats */
/** @typedef {{ id: string, up?: StreamStats[], down?: StreamStats[] }} ClientStats */
/** @typedef {{ name: string, clients?: ClientStats[] }} GroupStats */
/** @typedef {'stats.off' | 'stats.refused' | 'stats.unreachable'} Problem */

/**
 * Fetches the statistics of all groups.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<GroupStats[] | Problem>}
 */
export async function fetchStats(signal) {
  try {
    const url = new URL('../../stats.json', import.meta.url);
    const response = await fetch(url, { signal, cache: 'no-cache' });
    if (response.status === 404) return 'stats.off';
    if (response.status === 401) return 'stats.refused';
    const groups = response.ok ? await response.json() : undefined;
    return Array.isArray(groups) ? groups : 'stats.unreachable';
  } catch {
    return 'stats.unreachable';
  }
}

/**
 * A line of the table: a track, or a client or a stream that has none.
 *
 * @typedef {object} Line
 * @property {string} client
 * @property {string} [stream]
 * @property {'up' | 'down'} [direction]
 * @property {number} [track] from 1
 * @property {number} [limit] of the whole stream, in bits per second
 * @property {TrackStats} [stats]
 */

/**
 * The lines of a group's table.
 *
 * @param {GroupStats} group
 * @returns {Line[]}
 */
export function linesOf(group) {
  return (group.clients ?? []).flatMap(client => {
    const lines = [
      ...linesOfStreams(client.id, 'up', client.up),
      ...linesOfStreams(client.id, 'down', client.down),
    ];
    return lines.length > 0 ? lines : [{ client: client.id }];
  });
}

/**
 * @param {string} client
 * @param {'up' | 'down'} direction
 * @param {StreamStats[]} [streams]
 * @returns {Line[]}
 */
function linesOfStreams(client, direction, streams = []) {
  return streams.flatMap(({ id, maxBitrate, tracks }) => {
    const line = { client, stream: id, direction, limit: maxBitrate };
    if (!tracks || tracks.length === 0) return [line];
    return tracks.map((stats, i) => ({ ...line, track: i + 1, stats }));
  });
}
