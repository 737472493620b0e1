import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LANGUAGES, Words, pick, split } from '../../static/js/i18n/words.js';

const root = fileURLToPath(new URL('../../static/', import.meta.url));

/** @param {string} language */
const load = language =>
  /** @type {Record<string, string>} */ (
    JSON.parse(readFileSync(join(root, 'i18n', `${language}.json`), 'utf8'))
  );

/** The text of all scripts and pages. */
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(name => /\.(js|html)$/u.test(name) && !name.startsWith('third-party'))
  .map(name => readFileSync(join(root, name), 'utf8'));

/** What is quoted somewhere; a template stands for all that it can become. */
function quoted() {
  const literals = new Set();
  const patterns = [];
  for (const source of sources) {
    for (const match of source.matchAll(/['"]([\w.-]+)['"]/gu)) literals.add(match[1]);
    for (const match of source.matchAll(/t\(\s*`([^`]+)`|add\([^`(]*`([^`]+)`/gu)) {
      const text = (match[1] ?? match[2] ?? '').replaceAll('.', '\\.');
      patterns.push(new RegExp(`^${text.replaceAll(/\$\{[^}]+\}/gu, '[^.]+')}$`, 'u'));
    }
  }
  return { literals, patterns };
}

/**
 * The names of the placeholders of a message, those in plural forms too.
 *
 * @param {string} message
 * @returns {string[]}
 */
function placeholders(message) {
  const names = split(message)
    .filter(part => part.braced)
    .flatMap(({ text }) => {
      const [name = '', kind, ...rest] = text.split(',');
      const inner = kind?.trim() === 'plural' ? split(rest.join(',')) : [];
      return [
        name.trim(),
        ...inner.filter(p => p.braced).flatMap(p => placeholders(p.text)),
      ];
    });
  return [...new Set(names)].sort();
}

describe('words', () => {
  const english = load('en');

  for (const language of Object.keys(LANGUAGES)) {
    it(`are complete in ${language}, with the placeholders of English`, () => {
      const words = load(language);
      assert.deepEqual(Object.keys(words).sort(), Object.keys(english).sort());
      for (const [key, text] of Object.entries(words)) {
        assert.notEqual(text.trim(), '', key);
        assert.deepEqual(placeholders(text), placeholders(english[key] ?? ''), key);
      }
    });

    it(`have every plural form that ${language} needs`, () => {
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      for (const [key, text] of Object.entries(load(language))) {
        if (!text.includes(', plural,')) continue;
        // "many" is for millions in French; what has no form of its own uses "other".
        for (const form of forms.filter(f => f !== 'many')) {
          assert.match(text, new RegExp(`${form} \\{`, 'u'), `${key} lacks ${form}`);
        }
      }
    });
  }

  it('are all used', () => {
    const { literals, patterns } = quoted();
    const unused = Object.keys(english).filter(
      key => !literals.has(key) && !patterns.some(p => p.test(key)),
    );
    assert.deepEqual(unused, []);
  });

  it('are all there', () => {
    const asked = sources.flatMap(source => [
      ...[...source.matchAll(/\bt\(\s*'([^']+)'/gu)].map(m => m[1]),
      ...[...source.matchAll(/data-key="([^"]+)"/gu)].map(m => m[1]),
    ]);
    assert.ok(asked.length > 100, String(asked.length));
    assert.deepEqual(
      asked.filter(key => !Object.hasOwn(english, key ?? '')),
      [],
    );
  });
});

describe('Words', () => {
  /**
   * @param {string} message
   * @param {Record<string, string | number>} params
   * @param {string} [language]
   */
  const say = (message, params, language = 'en') =>
    new Words(language, { close: message }).t('close', params);

  it('fills in placeholders, as text', () => {
    assert.equal(say('{a} and {b}', { a: 'x{b}', b: 2 }), 'x{b} and 2');
    assert.equal(say('{none}!', {}), '!');
  });

  it('chooses the plural form', () => {
    const message =
      '{n, plural, =0 {nobody} one {# person in {g}} other {# people in {g}}}';
    assert.equal(say(message, { n: 0, g: 'x' }), 'nobody');
    assert.equal(say(message, { n: 1, g: 'x' }), '1 person in x');
    assert.equal(say(message, { n: 1234, g: 'x' }), '1,234 people in x');
    assert.equal(say('{n, plural, one {# mot} other {# mots}}', { n: 0 }, 'fr'), '0 mot');
  });
});

describe('pick', () => {
  const rows = /** @type {[string, string[], string][]} */ ([
    ['', ['fr-CA', 'en'], 'fr'],
    ['en', ['fr'], 'en'],
    ['', ['xx', 'EN-gb'], 'en'],
    ['', ['toString'], 'en'],
    ['xx', [], 'en'],
  ]);
  for (const [chosen, wanted, want] of rows) {
    it(`is ${want} for ${chosen || 'no choice'} and ${wanted.join(', ') || 'nothing'}`, () => {
      assert.equal(pick(chosen, wanted), want);
    });
  }
});
