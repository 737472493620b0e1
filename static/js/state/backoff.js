/**
 * Milliseconds to wait before a try: they double up to a limit, and half of them is
 * chance, so that a hundred clients do not come back in the same moment.
 *
 * @param {number} tries how many tries have failed already
 * @param {{ first?: number, limit?: number, random?: () => number }} [options]
 * @returns {number}
 */
export function backoff(
  tries,
  { first = 1000, limit = 30000, random = Math.random } = {},
) {
  const whole = Math.min(limit, first * 2 ** Math.min(tries, 20));
  return Math.round(whole / 2 + (random() * whole) / 2);
}
