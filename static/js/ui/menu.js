import { el, icon, on } from './dom.js';

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {string} [icon]
 * @property {string} [hint] a shortcut, or more about it
 * @property {boolean} [checked] makes it one of several choices
 * @property {boolean} [disabled]
 * @property {boolean} [danger]
 * @property {() => void} [act]
 */
/** @typedef {{ label?: string, items: MenuItem[] }} MenuGroup */

/** Distance in pixels between a menu, its button and the edge of the window. */
const GAP = 8;

/**
 * Opens a menu beside its button. It closes on a choice, on Escape and on a click
 * elsewhere, and gives the focus back.
 *
 * @param {HTMLElement} anchor
 * @param {string} label
 * @param {MenuGroup[]} groups
 */
export function openMenu(anchor, label, groups) {
  const life = new AbortController();
  const menu = el('div', {
    role: 'menu',
    popover: 'auto',
    class: 'menu',
    'aria-label': label,
  });
  for (const group of groups.filter(g => g.items.length > 0)) {
    menu.append(drawGroup(group, menu, life.signal));
  }
  // Beside its button, so that it belongs to the same part of the page.
  anchor.after(menu);
  anchor.setAttribute('aria-expanded', 'true');
  menu.addEventListener(
    'toggle',
    e => {
      if (e.newState === 'open') return;
      anchor.setAttribute('aria-expanded', 'false');
      if (menu.contains(document.activeElement)) anchor.focus();
      life.abort();
      menu.remove();
    },
    { signal: life.signal },
  );
  on(menu, 'keydown', e => moveFocus(menu, e), life.signal);
  menu.showPopover();
  place(menu, anchor);
  itemsOf(menu)[0]?.focus();
}

/**
 * @param {MenuGroup} group
 * @param {HTMLElement} menu
 * @param {AbortSignal} signal
 */
function drawGroup(group, menu, signal) {
  const root = el('div', { role: 'group', class: 'menu-group' });
  if (group.label) {
    root.setAttribute('aria-label', group.label);
    root.append(el('div', { class: 'menu-label', 'aria-hidden': 'true' }, group.label));
  }
  for (const item of group.items) root.append(drawItem(item, menu, signal));
  return root;
}

/**
 * @param {MenuItem} item
 * @param {HTMLElement} menu
 * @param {AbortSignal} signal
 */
function drawItem(item, menu, signal) {
  const choice = item.checked !== undefined;
  const picture = choice ? (item.checked ? 'check' : '') : item.icon;
  const element = el(
    'button',
    {
      type: 'button',
      role: choice ? 'menuitemradio' : 'menuitem',
      class: item.danger ? 'menu-item danger' : 'menu-item',
      tabindex: -1,
      'aria-checked': choice ? String(item.checked) : undefined,
      'aria-disabled': item.disabled ? 'true' : undefined,
    },
    picture ? icon(picture) : el('span', { class: 'icon', 'aria-hidden': 'true' }),
    el('span', { class: 'menu-text', dir: 'auto' }, item.label),
    item.hint
      ? el('span', { class: 'menu-hint', 'aria-hidden': 'true' }, item.hint)
      : null,
  );
  on(
    element,
    'click',
    () => {
      if (item.disabled) return;
      menu.hidePopover();
      item.act?.();
    },
    signal,
  );
  return element;
}

/** @param {HTMLElement} menu */
function itemsOf(menu) {
  return /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role^="menuitem"]')]);
}

/**
 * @param {HTMLElement} menu
 * @param {KeyboardEvent} event
 */
function moveFocus(menu, event) {
  const items = itemsOf(menu);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, number>} */
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  const to = steps[event.key];
  if (event.key === 'Tab') {
    menu.hidePopover();
    return;
  }
  event.stopPropagation();
  if (to === undefined) {
    if (event.key.length === 1) jump(items, at, event.key);
    return;
  }
  event.preventDefault();
  items.at(to % items.length)?.focus();
}

/**
 * Goes to the next item that begins with a letter.
 *
 * @param {HTMLElement[]} items
 * @param {number} at
 * @param {string} letter
 */
function jump(items, at, letter) {
  const rotated = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  rotated
    .find(i => i.textContent?.toLowerCase().startsWith(letter.toLowerCase()))
    ?.focus();
}

/**
 * Puts the menu above or below its button, wherever there is more room, inside the window.
 *
 * @param {HTMLElement} menu
 * @param {HTMLElement} anchor
 */
function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { innerWidth, innerHeight } = window;
  const above = at.top > innerHeight - at.bottom;
  const room = (above ? at.top : innerHeight - at.bottom) - 2 * GAP;
  menu.style.maxBlockSize = `${Math.max(room, 120)}px`;
  const size = menu.getBoundingClientRect();
  const inline = Math.min(
    Math.max(GAP, at.left + at.width / 2 - size.width / 2),
    innerWidth - size.width - GAP,
  );
  menu.style.left = `${Math.max(GAP, inline)}px`;
  menu.style.top = `${above ? Math.max(GAP, at.top - GAP - size.height) : at.bottom + GAP}px`;
}

/**
 * Makes a button open a menu whose groups are asked for each time.
 *
 * @param {HTMLElement} anchor
 * @param {() => { label: string, groups: MenuGroup[] }} what
 * @param {AbortSignal} signal
 */
export function menuButton(anchor, what, signal) {
  anchor.setAttribute('aria-haspopup', 'menu');
  anchor.setAttribute('aria-expanded', 'false');
  let closedAt = 0;
  // The click that closes a menu by its own button must not open it again.
  on(
    anchor,
    'pointerdown',
    () => {
      if (anchor.getAttribute('aria-expanded') === 'true') closedAt = performance.now();
    },
    signal,
  );
  on(
    anchor,
    'click',
    () => {
      if (performance.now() - closedAt < 500) return;
      const { label, groups } = what();
      openMenu(anchor, label, groups);
    },
    signal,
  );
}
