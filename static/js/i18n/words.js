/** @typedef {keyof typeof import('../../i18n/en.json')} Key */
/** @typedef {Record<string, string | number>} Params */

/** The languages that there are, each by its own name. */
export const LANGUAGES = { en: 'English', fr: 'Français' };

/**
 * The language to use: the chosen one, else the first that the browser asks for.
 *
 * @param {string} chosen
 * @param {readonly string[]} wanted as in `navigator.languages`
 * @returns {string}
 */
export function pick(chosen, wanted) {
  const known = [chosen, ...wanted].map(tag => tag.toLowerCase().split('-')[0] ?? '');
  return known.find(tag => Object.hasOwn(LANGUAGES, tag)) ?? 'en';
}

/**
 * Words in one language. A message has placeholders, `{name}`, and plural forms,
 * `{count, plural, one {# person} other {# people}}`, which may contain placeholders.
 */
export class Words {
  #messages;
  #plural;
  #number;

  /**
   * @param {string} language
   * @param {Record<string, string>} messages
   * @param {string} [locale] language and country, for numbers and dates
   */
  constructor(language, messages, locale = language) {
    const { DateTimeFormat, NumberFormat, PluralRules } = Intl;
    this.language = language;
    this.#messages = messages;
    this.#plural = new PluralRules(language);
    this.#number = new NumberFormat(locale);
    /** Formats a time of the day. */
    this.clock = new DateTimeFormat(locale, { timeStyle: 'short' });
    /** Formats a day. */
    this.day = new DateTimeFormat(locale, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
    });
    /** Formats a day and a time. */
    this.moment = new DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' });
  }

  /**
   * Direction of the writing.
   *
   * @returns {'ltr' | 'rtl'}
   */
  get direction() {
    return /^(ar|fa|he|ur)\b/u.test(this.language) ? 'rtl' : 'ltr';
  }

  /**
   * @param {Key} key
   * @param {Params} [params]
   * @returns {string}
   */
  t = (key, params = {}) => this.#fill(this.#messages[key] ?? key, params);

  /** @param {number} value */
  number(value) {
    return this.#number.format(value);
  }

  /**
   * @param {string} message
   * @param {Params} params
   * @returns {string}
   */
  #fill(message, params) {
    let out = '';
    for (const part of split(message)) {
      out += part.braced ? this.#expand(part.text, params) : part.text;
    }
    return out;
  }

  /**
   * @param {string} inner what stands between the braces
   * @param {Params} params
   */
  #expand(inner, params) {
    const [name = '', type, ...rest] = inner.split(',');
    const value = params[name.trim()] ?? '';
    if (type?.trim() !== 'plural') {
      return typeof value === 'number' ? this.number(value) : value;
    }
    const forms = formsOf(rest.join(','));
    const count = Number(value);
    const form =
      forms[`=${count}`] ?? forms[this.#plural.select(count)] ?? forms['other'] ?? '';
    return this.#fill(form.replaceAll('#', this.number(count)), params);
  }
}

/**
 * Cuts a message at its outermost braces.
 *
 * @param {string} message
 * @returns {{ text: string, braced: boolean }[]}
 */
export function split(message) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < message.length; i++) {
    const opens = message[i] === '{' && depth++ === 0;
    const closes = message[i] === '}' && --depth === 0;
    if (!opens && !closes) continue;
    parts.push({ text: message.slice(start, i), braced: closes });
    start = i + 1;
  }
  parts.push({ text: message.slice(start), braced: false });
  return parts;
}

/**
 * Reads plural forms, `one {…} other {…}`.
 *
 * @param {string} text
 * @returns {Record<string, string>}
 */
function formsOf(text) {
  const parts = split(text);
  /** @type {Record<string, string>} */
  const forms = {};
  for (let i = 0; i + 1 < parts.length; i += 2) {
    forms[parts[i]?.text.trim() ?? ''] = parts[i + 1]?.text ?? '';
  }
  return forms;
}

/**
 * Fetches the words of a language.
 *
 * @param {string} language one of {@link LANGUAGES}
 * @returns {Promise<Words>}
 */
export async function loadWords(language) {
  const response = await fetch(new URL(`../../i18n/${language}.json`, import.meta.url));
  if (!response.ok) throw new Error(`no words for ${language}: ${response.status}`);
  const locale = navigator.languages.find(tag => tag.split('-')[0] === language);
  return new Words(language, await response.json(), locale);
}
