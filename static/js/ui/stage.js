/** @import { Tile } from '../state/tiles.js' */
/** @import { Keyed } from './dom.js' */
/** @import { Place } from './layout.js' */
/** @import { View } from './view.js' */
import { SELF } from '../state/speakers.js';
import { fitting, tilesOf } from '../state/tiles.js';
import { button, el, on, reconcile } from './dom.js';
import { arrange } from './layout.js';
import { makeTile } from './tile.js';

/**
 * The pictures of the meeting.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountStage(root, view, signal) {
  const { words, session, roster, subscriber, speakers, attention, look } = view;
  const list = el('ul', { class: 'tiles', 'aria-label': words.t('stage') });
  const number = el('span', {});
  const whom = el('span', { class: 'visually-hidden' });
  const more = el(
    'button',
    { type: 'button', class: 'button small more-people', hidden: true },
    number,
    whom,
  );
  root.append(list, more);
  on(more, 'click', () => look.update({ panel: 'people' }), signal);

  /** @type {Map<string, Keyed<Tile>>} */
  const kept = new Map();
  /** @type {Tile[]} */
  let shown = [];
  const drawTalking = () => {
    const { talking } = speakers.store.value;
    const heard = view.local.store.value.microphone.on;
    for (const tile of shown) {
      const loud = tile.self
        ? heard && talking.has(SELF)
        : talking.has(tile.stream?.id ?? '');
      kept.get(tile.key)?.element.classList.toggle('talking', loud && !tile.share);
    }
  };
  const draw = () => {
    const tiles = tilesOf(
      roster.store.value.members,
      subscriber.store.value.streams,
      session.store.value.id,
    );
    const shares = tiles.filter(t => t.share);
    const people = tiles.filter(t => !t.share);
    const size = { width: list.clientWidth, height: list.clientHeight };
    const places = arrange({ shares: shares.length, people: people.length }, size);
    const room = fitting(people, Math.max(1, places.people.length));
    shown = [...shares, ...room];
    reconcile({
      root: list,
      items: shown,
      key: tile => tile.key,
      kept,
      make: tile => makeTile(view, tile, signal),
    });
    const all = [...places.shares, ...places.people];
    shown.forEach((tile, i) => put(kept.get(tile.key)?.element, all[i]));
    attention.look(areasOf(shown, all));
    const hidden = people.length - room.length;
    more.hidden = hidden === 0;
    number.textContent = `+${words.number(hidden)}`;
    whom.textContent = words.t('stage.more', { count: hidden });
    drawTalking();
  };
  const observer = new ResizeObserver(draw);
  observer.observe(list);
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  roster.store.watch(s => s.members, draw, signal);
  subscriber.store.watch(s => s.streams, draw, signal);
  session.store.watch(s => s.id, draw, signal);
  speakers.store.watch(s => s.talking, drawTalking, signal);
  mountAlone(root, view, signal);
}

/**
 * @param {HTMLElement | undefined} element
 * @param {Place | undefined} place
 */
function put(element, place) {
  if (!element || !place) return;
  element.style.insetInlineStart = `${place.x}px`;
  element.style.insetBlockStart = `${place.y}px`;
  element.style.inlineSize = `${place.width}px`;
  element.style.blockSize = `${place.height}px`;
}

/**
 * How large each stream is shown. What is shared may be shown in full at any time.
 *
 * @param {Tile[]} tiles
 * @param {Place[]} places of the tiles
 */
function areasOf(tiles, places) {
  /** @type {Map<string, number>} */
  const areas = new Map();
  tiles.forEach(({ stream, share }, i) => {
    const { width, height } = places[i] ?? { width: 0, height: 0 };
    if (stream) areas.set(stream.id, share ? Infinity : width * height);
  });
  return areas;
}

/**
 * What to do while nobody else is there.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
function mountAlone(root, { words, roster, notices }, signal) {
  const copy = button(words.t('link.copy'), { icon: 'link' });
  const card = el(
    'div',
    { class: 'alone', role: 'note' },
    el('strong', {}, words.t('alone')),
    el('p', {}, words.t('alone.hint')),
    copy,
  );
  on(
    copy,
    'click',
    () => {
      const link = location.origin + location.pathname;
      navigator.clipboard.writeText(link).then(
        () => notices.add('info', 'link.copied'),
        () => notices.add('error', 'link.failed', { link }),
      );
    },
    signal,
  );
  root.append(card);
  roster.store.watch(
    s => s.members.size > 1,
    company => {
      card.hidden = company;
    },
    signal,
  );
}
