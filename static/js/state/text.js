/** Characters that change the direction of what follows them (Unicode UAX #9). */
const OVERRIDES = /[\u202A-\u202E\u2066-\u2069]/gu;

/**
 * Takes the direction overrides out of a text that somebody else wrote.
 *
 * @param {unknown} value
 * @returns {string} '' if there is no text
 */
export function clean(value) {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(OVERRIDES, '');
}

/**
 * The first letters of a name, at most two.
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).filter(word => /[\p{L}\p{N}]/u.test(word));
  const letters = words.map(word => word.match(/[\p{L}\p{N}]/u)?.[0] ?? '');
  const [first = '', last = ''] =
    letters.length > 1 ? [letters[0], letters.at(-1)] : letters;
  return (first + last).toLocaleUpperCase() || '?';
}

/**
 * A number from 0 to count - 1 that is always the same for a name: for its colour.
 *
 * @param {string} name
 * @param {number} count
 * @returns {number}
 */
export function hue(name, count) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % count;
}

/**
 * Cuts a text into plain parts and web addresses.
 *
 * @param {string} text
 * @returns {{ text: string, href: string | null }[]}
 */
export function links(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"]+/giu)) {
    const href = match[0].replace(/[.,;:!?'»]+$|\)+[.,;:!?]*$/u, tail =>
      tail.startsWith(')') && match[0].includes('(') ? tail : '',
    );
    if (!URL.canParse(href)) continue;
    parts.push({ text: text.slice(end, match.index), href: null });
    parts.push({ text: href, href });
    end = match.index + href.length;
  }
  parts.push({ text: text.slice(end), href: null });
  return parts.filter(part => part.text !== '');
}
