/** @import { Tile } from '../state/tiles.js' */
/** @import { Keyed } from './dom.js' */
/** @import { View } from './view.js' */
import { hue, initials } from '../state/text.js';
import { el, icon, iconButton, nameOf, on, scope, setAttribute } from './dom.js';
import { mountVideo } from './video.js';

/** How many colours there are for people without a picture. */
const HUES = 8;

/**
 * The initials of somebody, on a colour of their own.
 *
 * @param {string} name
 */
export function avatar(name) {
  return el(
    'span',
    { class: 'avatar', 'aria-hidden': 'true', 'data-hue': hue(name, HUES) },
    initials(name),
  );
}

/**
 * A mark with words for those who do not see it.
 *
 * @param {string} picture
 * @param {string} words
 * @param {string} [className]
 */
export function mark(picture, words, className = '') {
  return el(
    'span',
    { class: `mark ${className}`.trim(), title: words },
    icon(picture),
    el('span', { class: 'visually-hidden' }, words),
  );
}

/**
 * One tile of the stage.
 *
 * @param {View} view
 * @param {Tile} first
 * @param {AbortSignal} outer
 * @returns {Keyed<Tile>}
 */
export function makeTile(view, first, outer) {
  const { words, local } = view;
  const { signal, end } = scope(outer);
  const media = el('div', { class: 'tile-media' });
  const face = el('div', { class: 'tile-face' });
  const label = el('div', { class: 'tile-label' });
  const corner = el('div', { class: 'tile-corner' });
  const element = el(
    'li',
    { class: first.share ? 'tile share' : 'tile', 'data-self': first.self },
    face,
    media,
    corner,
    label,
  );
  const show = mountVideo(media, { mirror: first.self });
  if (first.share) element.append(fullScreenButton(view, element, signal));
  if (first.self) {
    local.store.watch(s => s.camera.track, show, signal);
  }
  let drawn = '';
  /** @param {Tile} tile */
  const draw = tile => {
    const { member, stream } = tile;
    setAttribute(element, 'data-member-id', member?.id ?? stream?.source);
    setAttribute(element, 'data-stream-id', stream?.id);
    setAttribute(element, 'data-health', stream?.health);
    if (!tile.self) show(stream?.video ?? null);
    const look = lookOf(tile);
    if (look === drawn) return;
    drawn = look;
    const title = tile.username || words.t('nobody');
    face.replaceChildren(avatar(tile.username));
    label.replaceChildren(...labelOf(view, tile, title));
    corner.replaceChildren(...cornerOf(view, tile));
  };
  draw(first);
  return { element, draw, remove: end };
}

/**
 * What a tile's words and marks depend on, so that they are drawn only when they change.
 *
 * @param {Tile} tile
 */
function lookOf({ username, member, stream }) {
  return [username, member?.muted, member?.hand, stream?.health].join('\u0000');
}

/**
 * @param {View} view
 * @param {Tile} tile
 */
function cornerOf({ words }, { member, stream, share }) {
  const marks = [];
  if (member?.hand && !share) marks.push(mark('hand', words.t('hand.raised'), 'hand'));
  if (stream?.health === 'broken') {
    marks.push(mark('wifi-off', words.t('tile.broken'), 'broken'));
  }
  return marks;
}

/**
 * @param {View} view
 * @param {Tile} tile
 * @param {string} title
 */
function labelOf({ words }, tile, title) {
  if (tile.share) {
    const text = words.t('tile.share', { name: title });
    return [icon('screen-share'), nameOf(text)];
  }
  const muted = tile.member?.muted ? [mark('mic-off', words.t('muted'), 'muted')] : [];
  return [...muted, nameOf(tile.self ? words.t('you') : title)];
}

/**
 * @param {View} view
 * @param {HTMLElement} element
 * @param {AbortSignal} signal
 */
function fullScreenButton({ words }, element, signal) {
  const control = iconButton(words.t('fullscreen'), 'maximize', {
    class: 'icon-button tile-action',
  });
  control.hidden = !document.fullscreenEnabled;
  on(
    control,
    'click',
    () => {
      if (document.fullscreenElement) void document.exitFullscreen();
      else void element.requestFullscreen();
    },
    signal,
  );
  return control;
}
