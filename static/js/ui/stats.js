/** @import { Key, Words } from '../i18n/words.js' */
/** @import { GroupStats, Line } from '../state/stats.js' */
import { fetchStats, linesOf } from '../state/stats.js';
import { clean } from '../state/text.js';
import { HOME, button, el, icon, nameOf, on } from './dom.js';

/** Milliseconds between two looks at the statistics. */
const EVERY = 5000;

/** @type {Key[]} */
const COLUMNS = [
  'stats.client',
  'stats.stream',
  'stats.direction',
  'stats.track',
  'stats.bitrate',
  'stats.maxBitrate',
  'stats.loss',
  'stats.jitter',
  'stats.rtt',
  'stats.layers',
];

/**
 * The page of the server's administrators.
 *
 * @param {HTMLElement} root
 * @param {Words} words
 * @param {AbortSignal} signal
 */
export function mountStats(root, words, signal) {
  document.title = words.t('stats.title');
  const when = el('p', { class: 'quiet' });
  const note = el('p', { class: 'quiet', role: 'status' }, words.t('loading'));
  const pause = button(words.t('stats.pause'), { class: 'button' });
  const groups = el('div', { class: 'stats-groups' });
  const heading = el('h1', {}, words.t('stats.heading'));
  const brand = el('a', { class: 'brand', href: HOME }, icon('audio-lines'), 'Galène');
  root.append(
    el('header', { class: 'page-head' }, brand),
    el(
      'main',
      { class: 'stats' },
      el('div', { class: 'stats-head' }, heading, when, pause),
      note,
      groups,
    ),
  );

  let paused = false;
  const refresh = async () => {
    if (paused || document.visibilityState !== 'visible') return;
    const found = await fetchStats(signal);
    if (paused || signal.aborted) return;
    if (typeof found === 'string') {
      note.textContent = words.t(found);
      return;
    }
    note.textContent = found.length > 0 ? '' : words.t('stats.none');
    when.textContent = words.t('stats.at', { time: words.clock.format(new Date()) });
    draw(groups, words, found);
  };
  on(
    pause,
    'click',
    () => {
      paused = !paused;
      pause.textContent = words.t(paused ? 'stats.resume' : 'stats.pause');
      void refresh();
    },
    signal,
  );
  void refresh();
  const timer = setInterval(refresh, EVERY);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  document.addEventListener('visibilitychange', refresh, { signal });
}

/**
 * Draws the groups anew, unless somebody who moves with the keyboard is among them: the
 * tables that are scrolled by it stay, with what is new in them.
 *
 * @param {HTMLElement} root
 * @param {Words} words
 * @param {GroupStats[]} groups
 */
function draw(root, words, groups) {
  const sections = new Map([...root.children].map(s => [s.getAttribute('data-name'), s]));
  const wanted = groups.map(group => {
    const section = sections.get(group.name) ?? sectionOf(words, group.name);
    const count = words.t('stats.clients', { count: group.clients?.length ?? 0 });
    section.querySelector('p')?.replaceChildren(count);
    section
      .querySelector('tbody')
      ?.replaceChildren(...linesOf(group).map(line => rowOf(words, line)));
    return section;
  });
  const same =
    wanted.length === root.children.length &&
    wanted.every((s, i) => s === root.children[i]);
  if (!same) root.replaceChildren(...wanted);
}

/**
 * @param {Words} words
 * @param {string} name of a group
 */
function sectionOf(words, name) {
  const shown = clean(name);
  const head = el(
    'tr',
    {},
    ...COLUMNS.map(key => el('th', { scope: 'col' }, words.t(key))),
  );
  return el(
    'section',
    { class: 'stats-group', 'data-name': name, 'aria-label': shown },
    el('h2', {}, nameOf(shown)),
    el('p', { class: 'quiet' }),
    el(
      'div',
      { class: 'stats-table', role: 'group', tabindex: 0, 'aria-label': shown },
      el('table', {}, el('thead', {}, head), el('tbody')),
    ),
  );
}

/**
 * @param {Words} words
 * @param {Line} line
 */
function rowOf(words, { client, stream = '', direction, track, limit, stats = {} }) {
  const kbps = (/** @type {number | undefined} */ rate) =>
    rate ? words.t('stats.kbps', { value: Math.round(rate / 1000) }) : '';
  const ms = (/** @type {number | undefined} */ time) =>
    time ? words.t('stats.ms', { value: Math.round(time * 10) / 10 }) : '';
  const percent = (/** @type {number | undefined} */ part) =>
    part === undefined
      ? ''
      : words.t('stats.percent', { value: Math.round(part * 1000) / 10 });
  const layers = [];
  if (stats.maxSid)
    layers.push(words.t('stats.spatial', { now: stats.sid ?? 0, most: stats.maxSid }));
  if (stats.maxTid)
    layers.push(words.t('stats.temporal', { now: stats.tid ?? 0, most: stats.maxTid }));
  const way = direction ? words.t(`stats.${direction}`) : '';
  const cells = [
    stream,
    way,
    track ? words.number(track) : '',
    kbps(stats.bitrate),
    kbps(stats.maxBitrate ?? limit),
    percent(stats.loss),
    ms(stats.jitter),
    ms(stats.rtt),
    layers.join(', '),
  ];
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, clean(client)),
    ...cells.map(text => el('td', {}, clean(text))),
  );
}
