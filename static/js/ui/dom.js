/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | undefined>} Attributes */

/**
 * Makes an element. An attribute that is false or undefined is left out, true is empty;
 * children are added in order, texts as text, and what is not there is passed over.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    setAttribute(element, name, value);
  element.append(...present(children));
  return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === false || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : String(value));
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
export function present(children) {
  return children.filter(
    /** @type {(child: Child) => child is Node | string} */ (child => Boolean(child)),
  );
}

/** The path of the landing page: `/`, unless a proxy publishes the server below another. */
export const HOME = new URL('../..', import.meta.url).pathname;

const SPRITE = `${HOME}third-party/lucide/icons.svg`;
const SVG = 'http://www.w3.org/2000/svg';

/**
 * A picture for a control that has words besides, so that it is hidden from readers.
 *
 * @param {string} name of a symbol in the sprite
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  svg.append(use);
  setIcon(svg, name);
  return svg;
}

/**
 * @param {SVGElement} svg made by {@link icon}
 * @param {string} name
 */
export function setIcon(svg, name) {
  const href = `${SPRITE}#${name}`;
  const use = svg.firstElementChild;
  if (use?.getAttribute('href') !== href) use?.setAttribute('href', href);
}

/**
 * Somebody's name: isolated from the direction of what stands around it, and cut if it is
 * too long, with the whole name in the title.
 *
 * @param {string} name
 * @param {string} [className]
 */
export function nameOf(name, className = '') {
  return el('bdi', { class: `name ${className}`.trim(), dir: 'auto', title: name }, name);
}

/**
 * A button with words.
 *
 * @param {string} label
 * @param {Attributes & { icon?: string }} [attributes]
 */
export function button(label, { icon: picture, ...attributes } = {}) {
  return el(
    'button',
    { type: 'button', class: 'button', ...attributes },
    picture ? icon(picture) : null,
    el('span', {}, label),
  );
}

/**
 * A button that shows a picture; its words are its accessible name and its title.
 *
 * @param {string} label
 * @param {string} picture
 * @param {Attributes} [attributes]
 */
export function iconButton(label, picture, attributes = {}) {
  return el(
    'button',
    {
      type: 'button',
      class: 'icon-button',
      'aria-label': label,
      title: label,
      ...attributes,
    },
    icon(picture),
  );
}

/**
 * Gives an element something to do until the signal is aborted.
 *
 * @template {keyof HTMLElementEventMap} E
 * @param {HTMLElement} element
 * @param {E} type
 * @param {(event: HTMLElementEventMap[E]) => void} listener
 * @param {AbortSignal} signal
 */
export function on(element, type, listener, signal) {
  element.addEventListener(type, listener, { signal });
}

/**
 * A signal that ends with another one, or earlier.
 *
 * @param {AbortSignal} signal
 * @returns {{ signal: AbortSignal, end: () => void }}
 */
export function scope(signal) {
  const controller = new AbortController();
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    end: () => controller.abort(),
  };
}

/**
 * Makes the children of a list what is wanted, touching only what is different: elements
 * are kept by key, so that focus, scroll positions and running videos survive.
 *
 * @template T
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {readonly T[]} options.items
 * @param {(item: T) => string} options.key
 * @param {Map<string, Keyed<T>>} options.kept of this list; the caller holds it
 * @param {(item: T) => Keyed<T>} options.make
 */
export function reconcile({ root, items, key, kept, make }) {
  const wanted = new Set(items.map(key));
  for (const [k, { element, remove }] of kept) {
    if (wanted.has(k)) continue;
    remove();
    element.remove();
    kept.delete(k);
  }
  let at = root.firstElementChild;
  for (const item of items) {
    let entry = kept.get(key(item));
    if (entry) {
      entry.draw(item);
    } else {
      entry = make(item);
      kept.set(key(item), entry);
    }
    if (entry.element === at) at = at.nextElementSibling;
    else root.insertBefore(entry.element, at);
  }
}

/**
 * An element of a list and how to redraw and to end it.
 *
 * @template T
 * @typedef {{ element: HTMLElement, draw: (item: T) => void, remove: () => void }} Keyed
 */
