import { el } from './dom.js';

/**
 * A field with its label and its error beside it.
 *
 * @param {string} id
 * @param {string} label
 * @param {'text' | 'password'} type
 * @param {string} autocomplete
 */
export function field(id, label, type, autocomplete) {
  const error = el('p', { class: 'field-error', id: `${id}-error`, role: 'alert' });
  const hint = el('p', { class: 'field-hint', id: `${id}-hint` });
  const input = el('input', {
    class: 'field',
    id,
    name: id,
    type,
    autocomplete,
    'aria-describedby': `${hint.id} ${error.id}`,
  });
  const box = el('div', { class: 'field-box' }, input);
  const line = el(
    'div',
    { class: 'line' },
    el('label', { for: id }, label),
    box,
    hint,
    error,
  );
  /** @param {string} text '' clears it */
  const fail = text => {
    error.textContent = text;
    input.setAttribute('aria-invalid', String(text !== ''));
    if (text) input.focus();
  };
  return { line, box, input, hint, fail };
}
