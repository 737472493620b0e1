import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from '../../static/js/state/settings.js';
import {
  endpointOf,
  groupOf,
  pathOf,
  rootOf,
  webURL,
} from '../../static/js/state/status.js';
import { clean, hue, initials, links } from '../../static/js/state/text.js';

describe('text', () => {
  it('takes direction overrides out', () => {
    assert.equal(clean('a\u202Eb\u2066c\u2069'), 'abc');
    assert.equal(clean(undefined), '');
    assert.equal(clean(7), '7');
  });

  it('finds initials', () => {
    const rows = [
      ['Ada Lovelace', 'AL'],
      ['ada', 'A'],
      ['Jean-Luc de la Tour', 'JT'],
      ['', '?'],
      ['!!', '?'],
      ['李 小龙', '李小'],
    ];
    for (const [name = '', want] of rows) assert.equal(initials(name), want, name);
  });

  it('gives a name always the same colour', () => {
    assert.equal(hue('Ada', 8), hue('Ada', 8));
    assert.ok(['a', 'b', 'c', 'd'].every(n => hue(n, 8) < 8));
  });

  it('finds addresses, without what only stands behind them', () => {
    const rows = /** @type {[string, string[]][]} */ ([
      ['see https://a.example/x.', ['https://a.example/x']],
      ['(https://a.example/x)', ['https://a.example/x']],
      ['https://a.example/x_(y)', ['https://a.example/x_(y)']],
      ['javascript:alert(1) ftp://x', []],
      ['http://a http://b', ['http://a', 'http://b']],
    ]);
    for (const [text, want] of rows) {
      const parts = links(text);
      assert.equal(parts.map(p => p.text).join(''), text);
      assert.deepEqual(
        parts.flatMap(p => p.href ?? []),
        want,
      );
    }
  });
});

describe('settings', () => {
  it('reads what was kept and mends what is not right', () => {
    const kept = parse('{"username":"Ann","cameraOn":"no","extra":1}');
    assert.equal(kept.username, 'Ann');
    assert.equal(kept.cameraOn, true);
    assert.ok(!('extra' in kept));
    for (const text of [null, '', '{', 'null', '7'])
      assert.equal(parse(text).theme, 'auto');
  });
});

describe('status', () => {
  it('finds the group of a page, and the page of a group', () => {
    for (const name of ['a', 'a/b', 'été', 'a?b#c', '50%']) {
      assert.equal(groupOf(pathOf(name)), name);
    }
    assert.equal(groupOf('/'), '');
    assert.equal(groupOf('/group/%E0%A4%A/'), '');
  });

  it('finds both below the path of a proxy', () => {
    assert.equal(rootOf('https://a.example/js/state/status.js'), '/');
    assert.equal(rootOf('https://a.example/sub/path/js/state/status.js'), '/sub/path/');
    assert.equal(pathOf('a/b', '/sub/'), '/sub/group/a/b/');
    assert.equal(groupOf('/sub/group/a/b/', '/sub/'), 'a/b');
    assert.equal(groupOf('/group/a/b/', '/sub/'), '');
  });

  it('uses the endpoint of the status, if it is one', () => {
    const page = { protocol: 'https:', host: 'a.example:8443' };
    const rows = /** @type {[string | undefined, string][]} */ ([
      ['wss://b.example/ws', 'wss://b.example/ws'],
      [undefined, 'wss://a.example:8443/ws'],
      ['https://b.example/ws', 'wss://a.example:8443/ws'],
      ['nonsense', 'wss://a.example:8443/ws'],
    ]);
    for (const [endpoint, want] of rows)
      assert.equal(endpointOf({ endpoint }, page), want);
    assert.equal(
      endpointOf(null, { ...page, protocol: 'http:' }),
      'ws://a.example:8443/ws',
    );
  });

  it('links to nothing but web pages', () => {
    const base = 'https://a.example/group/x/';
    assert.equal(webURL('/group/y/', base)?.href, 'https://a.example/group/y/');
    assert.equal(webURL('javascript:alert(1)', base), null);
    assert.equal(webURL(undefined, base), null);
  });
});
