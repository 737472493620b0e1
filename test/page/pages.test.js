import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../static/', import.meta.url));

/** @param {string} name */
const read = name => readFileSync(join(root, name), 'utf8');

/**
 * The modules that a module needs, itself included.
 *
 * @param {string} name
 * @param {Set<string>} [seen]
 */
function needs(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const match of read(name).matchAll(
    /^(?:import|\}) .*?'(\.[^']+)';$|^import '(\.[^']+)';$/gmu,
  )) {
    needs(relative(root, join(root, dirname(name), match[1] ?? match[2] ?? '')), seen);
  }
  return seen;
}

const pages = ['index.html', 'galene.html', 'stats.html', '404.html'];

describe('pages', () => {
  for (const page of pages) {
    const text = read(page);

    it(`${page} loads at once all modules that it needs, and no others`, () => {
      const [, entry = ''] = /<script type="module" src="\/([^"]+)"/u.exec(text) ?? [];
      const wanted = needs(entry);
      wanted.delete(entry);
      const preloaded = [...text.matchAll(/rel="modulepreload" href="\/([^"]+)"/gu)];
      assert.deepEqual(preloaded.map(m => m[1]).sort(), [...wanted].sort());
    });

    it(`${page} works at any address`, () => {
      for (const [, path = ''] of text.matchAll(/(?:href|src)="([^"]+)"/gu)) {
        assert.match(path, /^\//u);
      }
    });
  }

  it('reach every module', () => {
    const reached = new Set(['js/theme.js']);
    for (const main of ['landing', 'group', 'stats', 'recordings', 'missing'])
      needs(`js/main-${main}.js`, reached);
    const all = readdirSync(join(root, 'js'), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.js'))
      .map(name => `js/${name}`);
    assert.deepEqual([...reached].sort(), all.sort());
  });
});

describe('icons', () => {
  it('are those that are used', () => {
    const sprite = [
      ...read('third-party/lucide/icons.svg').matchAll(/<symbol id="([^"]+)"/gu),
    ];
    const scripts = readdirSync(join(root, 'js/ui'))
      .map(name => read(`js/ui/${name}`))
      .join('\n');
    const there = sprite.map(m => m[1] ?? '');
    for (const name of there) {
      assert.ok(scripts.includes(`'${name}'`), `${name} is not used`);
    }
    const asked = [
      ...scripts.matchAll(/\b(?:icon|mark|banner|control)\('([a-z-]+)'/gu),
      ...scripts.matchAll(/\bicon: '([a-z-]+)'/gu),
      ...scripts.matchAll(/\biconButton\(\s*[^']*(?:'[^']*'[^']*)??\), '([a-z-]+)'/gu),
    ];
    assert.ok(asked.length > 20, String(asked.length));
    for (const [, name = ''] of asked)
      assert.ok(there.includes(name), `${name} is missing`);
  });
});
