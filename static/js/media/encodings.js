/**
 * @file How a camera's picture is sent: in up to three sizes at once, each an encoding of
 * its own (simulcast), or in layers of one encoding, where the codec has them.
 */

/**
 * The encodings of a camera, the largest first: this is the order in which others expect
 * them, and `l` is how they know the small one.
 */
export const RIDS = /** @type {const} */ (['h', 'm', 'l']);

/** @typedef {(typeof RIDS)[number]} Rid */

/** Highest rate of the small picture, in bits per second; the server counts on it. */
const SMALL = 100_000;
/** Rates in bits per second that pictures of so many lines are worth, the largest first. */
const WORTH = [
  { lines: 1080, rate: 2_500_000 },
  { lines: 720, rate: 1_500_000 },
  { lines: 480, rate: 800_000 },
  { lines: 360, rate: 500_000 },
  { lines: 0, rate: 250_000 },
];
/** Lines from which a picture is sent in so many sizes. */
const LINES = { three: 720, two: 360 };

/** Codecs whose pictures have spatial layers that everybody can decode. */
const LAYERED = new Set(['video/vp9']);
/** One size with three frame rates, and three sizes of which each keyframe has all. */
const MODE = { flat: 'L1T3', layered: 'L3T3_KEY' };

/**
 * @param {number} lines of a picture
 * @returns {number} the highest rate it is sent at, in bits per second
 */
function worth(lines) {
  return WORTH.find(w => lines >= w.lines)?.rate ?? SMALL;
}

/**
 * What is to be sent.
 *
 * @typedef {object} Plan
 * @property {MediaTrackSettings} picture the size of the camera's picture, which may turn
 * @property {boolean} several whether it is sent in several sizes, as far as it is large enough
 * @property {string} [codec] the MIME type that was negotiated; none before
 */

/**
 * The encodings of a camera. All of them are negotiated from the start, so that sizes come
 * and go without a new offer; those that are not needed are inactive.
 *
 * @param {Plan} plan
 * @returns {(RTCRtpEncodingParameters & { rid: Rid, scalabilityMode: string })[]}
 */
export function encodingsOf({ picture, several, codec = '' }) {
  const lines = Math.min(picture.width ?? Infinity, picture.height ?? Infinity);
  const known = Number.isFinite(lines) ? lines : LINES.three;
  const layered = LAYERED.has(codec.toLowerCase());
  const sizes = !several || known < LINES.two ? 1 : known < LINES.three ? 2 : 3;
  const scales = { h: 1, m: 2, l: sizes === 2 ? 2 : 4 };
  const active = {
    h: true,
    m: sizes === 3 && !layered,
    l: sizes > 1 && !layered,
  };
  return RIDS.map(rid => ({
    rid,
    active: active[rid],
    scaleResolutionDownBy: scales[rid],
    maxBitrate: rid === 'l' ? SMALL : worth(Math.floor(known / scales[rid])),
    scalabilityMode: layered && sizes > 1 ? MODE.layered : MODE.flat,
  }));
}
