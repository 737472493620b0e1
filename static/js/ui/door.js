/** @import { Failure } from '../state/failure.js' */
/** @import { SessionState } from '../state/session-state.js' */
/** @import { View } from './view.js' */
import { webURL } from '../state/status.js';
import { clean } from '../state/text.js';
import { HOME, button, el, icon, iconButton, nameOf, on } from './dom.js';
import { field } from './field.js';
import { mountPreview } from './preview.js';
import { refusal } from './refusal.js';
import { openSettings } from './settings.js';

/**
 * What one sees before joining.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {{ token: string }} invitation token '' without one
 * @param {AbortSignal} signal
 */
export function mountDoor(root, view, invitation, signal) {
  const { words, session, group } = view;
  const { status } = session.store.value;
  const title = clean(status.displayName) || group;
  document.title = `${title} – Galène`;
  const settings = iconButton(words.t('settings'), 'settings');
  on(settings, 'click', () => openSettings(view, signal), signal);
  const home = el('a', { href: HOME, class: 'brand' }, icon('audio-lines'), 'Galène');
  const preview = el('section', {
    class: 'preview',
    'aria-label': words.t('door.preview'),
  });
  const entry = el(
    'div',
    { class: 'entry' },
    el('h1', {}, nameOf(title)),
    status.description
      ? el('p', { class: 'description', dir: 'auto' }, clean(status.description))
      : null,
    inside(view),
  );
  root.append(
    el('header', { class: 'page-head' }, home, settings),
    el('main', { class: 'door' }, preview, entry),
  );
  mountPreview(preview, view, signal);
  mountForm(entry, view, invitation, signal);
  mountWaiting(entry, view, signal);
  mountMoved(entry, view, signal);
}

/** @param {View} view */
function inside({ words, session }) {
  const { clientCount, locked } = session.store.value.status;
  const count = clientCount ?? 0;
  const line = el('p', { class: 'inside' });
  if (clientCount !== undefined) {
    line.append(icon('users'), words.t('door.inside', { count }));
  }
  if (locked) line.append(icon('lock'), words.t('locked'));
  return line.hasChildNodes() ? line : null;
}

/**
 * @param {HTMLElement} root
 * @param {View} view
 * @param {{ token: string }} invitation
 * @param {AbortSignal} signal
 */
function mountForm(root, view, invitation, signal) {
  const { words, session, settings } = view;
  let { token } = invitation;
  const name = field('username', words.t('door.name'), 'text', 'name');
  const password = field(
    'password',
    words.t('door.password'),
    'password',
    'current-password',
  );
  name.input.value = settings.value.username;
  name.input.maxLength = 64;
  password.line.hidden = true;
  const reveal = iconButton(words.t('door.password.show'), 'eye', {
    class: 'icon-button reveal',
    'aria-pressed': 'false',
  });
  password.box.append(reveal);
  const submit = button(words.t('join'), {
    class: 'button primary wide',
    type: 'submit',
  });
  const general = el('p', { class: 'form-error', role: 'alert' });
  const form = el(
    'form',
    { class: 'stack', novalidate: true },
    name.line,
    password.line,
    general,
    submit,
  );
  if (token) name.hint.textContent = words.t('door.name.invited');
  root.append(form);

  on(
    reveal,
    'click',
    () => {
      const shown = password.input.type === 'text';
      password.input.type = shown ? 'password' : 'text';
      reveal.setAttribute('aria-pressed', String(!shown));
    },
    signal,
  );
  on(
    form,
    'submit',
    e => {
      e.preventDefault();
      if (session.store.value.phase !== 'door') return;
      const username = name.input.value.trim();
      if (!username && !token) {
        name.fail(words.t('refused.name'));
        return;
      }
      settings.update({ username });
      session.join({ username, password: password.input.value, token });
    },
    signal,
  );
  for (const part of [name, password])
    on(part.input, 'input', () => part.fail(''), signal);

  // Enter is enough for those who have been here before. On a touch screen the keyboard
  // would cover half the page.
  if (matchMedia('(pointer: fine)').matches) {
    (name.input.value ? submit : name.input).focus({ preventScroll: true });
  }

  session.store.watch(
    s => s.phase,
    phase => {
      form.hidden = phase === 'waiting';
      submit.disabled = phase === 'joining';
      submit.setAttribute('aria-busy', String(phase === 'joining'));
      const text = submit.querySelector('span');
      if (text) text.textContent = words.t(phase === 'joining' ? 'joining' : 'join');
    },
    signal,
  );
  session.store.watch(
    s => s,
    state => {
      if (state.phase !== 'door') return;
      general.textContent = state.unreachable ? words.t('refused.unreachable') : '';
      if (state.failure) blame(state.failure);
    },
    signal,
  );

  /** The refusal that has been shown already: drawing again must not move the focus. */
  let blamed = /** @type {Failure | null} */ (null);
  /** @param {Failure} failure */
  function blame(failure) {
    if (failure === blamed) return;
    blamed = failure;
    const text = refusal(words, failure);
    switch (failure.kind) {
      case 'password': {
        // The first try is made without a password; that it fails is no mistake yet.
        const first = password.line.hidden;
        password.line.hidden = false;
        password.fail(first ? words.t('door.password.needed') : text);
        return;
      }
      case 'invitation':
        token = '';
        name.hint.textContent = '';
        password.line.hidden = false;
        general.textContent = text;
        (name.input.value ? password : name).input.focus();
        return;
      case 'name':
      case 'taken':
        name.fail(text);
        return;
      default:
        general.textContent = text;
    }
  }
}

/**
 * What is shown while the group is locked, full or not yet open.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
function mountWaiting(root, { words, session }, signal) {
  const reason = el('p', { role: 'status', dir: 'auto' });
  const next = el('p', { class: 'quiet' });
  const now = button(words.t('retry.now'), { class: 'button primary' });
  const stop = button(words.t('cancel'));
  const card = el(
    'div',
    { class: 'waiting' },
    icon('hourglass'),
    reason,
    next,
    el('div', { class: 'actions' }, stop, now),
  );
  on(now, 'click', () => session.hurry(), signal);
  on(stop, 'click', () => session.giveUp(), signal);
  root.append(card);
  /** @param {SessionState} state */
  const draw = ({ phase, failure, retryAt }) => {
    const before = card.hidden;
    card.hidden = phase !== 'waiting';
    if (card.hidden || !failure) return;
    const text = refusal(words, failure);
    if (reason.textContent !== text) reason.textContent = text;
    const count = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    next.textContent = words.t(count > 0 ? 'waiting.next' : 'waiting.trying', { count });
    if (before) now.focus();
  };
  session.store.watch(s => s, draw, signal);
  const timer = setInterval(() => draw(session.store.value), 1000);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/**
 * Where the group is, if it is elsewhere.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
function mountMoved(root, { words, session }, signal) {
  const card = el('div', { class: 'waiting', role: 'status' });
  root.append(card);
  session.store.watch(
    s => s.redirect || (s.status.redirect ?? ''),
    where => {
      const url = where ? webURL(where, location.href) : null;
      card.hidden = url === null;
      root.querySelector('form')?.toggleAttribute('hidden', url !== null);
      if (!url) return;
      card.replaceChildren(
        icon('external-link'),
        el('p', {}, words.t('moved', { host: url.host })),
        el('a', { class: 'button primary', href: url.href }, words.t('moved.go')),
      );
    },
    signal,
  );
}
