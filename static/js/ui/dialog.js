/** @import { Child } from './dom.js' */
/** @import { Words } from '../i18n/words.js' */
import { newID } from '../protocol/messages.js';
import { button, el, iconButton, on, present } from './dom.js';

/**
 * Opens a dialogue over the page. It closes on Escape, on its own button and on a click
 * beside it, and the focus goes back to where it was.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.close words of the button that closes it
 * @param {string} [options.className]
 * @param {(close: () => void, signal: AbortSignal) => Child[]} options.draw
 * @param {AbortSignal} options.signal closes it, too
 */
export function openDialog({ title, close: closing, className = '', draw, signal }) {
  const life = new AbortController();
  const all = AbortSignal.any([signal, life.signal]);
  const heading = el('h2', { id: `dialog-${newID()}` }, title);
  const dismiss = iconButton(closing, 'x');
  const dialog = el(
    'dialog',
    { class: `dialog ${className}`.trim(), 'aria-labelledby': heading.id },
    el('header', { class: 'dialog-head' }, heading, dismiss),
  );
  const close = () => dialog.close();
  const body = el('div', { class: 'dialog-body' });
  body.append(...present(draw(close, all)));
  dialog.append(body);
  on(dismiss, 'click', close, all);
  on(
    dialog,
    'click',
    e => {
      if (e.target === dialog) close();
    },
    all,
  );
  dialog.addEventListener('close', () => {
    life.abort();
    dialog.remove();
  });
  signal.addEventListener('abort', close, { once: true });
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * Asks before something that cannot be undone.
 *
 * @param {object} options
 * @param {Words} options.words
 * @param {string} options.title
 * @param {string} options.text
 * @param {string} options.confirm words of the button that does it
 * @param {string} [options.reason] label of a field for a reason; none without
 * @param {(reason: string) => void} options.act
 * @param {AbortSignal} options.signal
 */
export function ask({ words, title, text, confirm, reason, act, signal }) {
  openDialog({
    title,
    close: words.t('close'),
    className: 'dialog-small',
    signal,
    draw: (close, life) => {
      const field = el('input', { class: 'field', id: 'ask-reason', maxlength: 100 });
      const yes = button(confirm, { class: 'button danger', type: 'submit' });
      const no = button(words.t('cancel'), { autofocus: true });
      const form = el(
        'form',
        { class: 'stack' },
        el('p', {}, text),
        reason ? el('label', { for: 'ask-reason' }, reason) : null,
        reason ? field : null,
        el('div', { class: 'actions' }, no, yes),
      );
      on(no, 'click', close, life);
      on(
        form,
        'submit',
        e => {
          e.preventDefault();
          close();
          act(field.value.trim());
        },
        life,
      );
      return [form];
    },
  });
}
