/** @import { ChatEntry } from '../state/chat.js' */
/** @import { View } from './view.js' */
import { links } from '../state/text.js';
import { inOrder } from '../state/roster.js';
import { button, el, iconButton, nameOf, on } from './dom.js';

/** Messages of one author within this many milliseconds stand under one name. */
const TOGETHER = 5 * 60 * 1000;
/** How far from the end, in pixels, counts as reading along. */
const NEAR = 60;

/**
 * The conversation.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountChat(root, view, signal) {
  const { words, chat } = view;
  const log = el('ol', {
    class: 'chat-log',
    tabindex: 0,
    role: 'list',
    'aria-label': words.t('chat.messages'),
  });
  const empty = el('p', { class: 'empty quiet' }, words.t('chat.empty'));
  const fresh = button(words.t('chat.new'), {
    class: 'button small fresh',
    icon: 'arrow-down',
  });
  fresh.hidden = true;
  // What is new is announced elsewhere, also while this panel is closed.
  const quiet = { role: 'log', 'aria-live': 'off', 'aria-label': words.t('chat') };
  root.append(el('div', { class: 'chat-scroll', ...quiet }, empty, log, fresh));

  const toEnd = () => {
    log.scrollTop = log.scrollHeight;
    fresh.hidden = true;
  };
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  /** @type {readonly ChatEntry[]} */
  let drawn = [];
  chat.store.watch(
    s => s.entries,
    entries => {
      const along = atEnd() || entries.at(-1)?.own === true;
      const grows =
        entries.length >= drawn.length && drawn.every((e, i) => e === entries[i]);
      const from = grows ? drawn.length : 0;
      if (!grows) log.replaceChildren();
      for (let i = from; i < entries.length; i++) {
        const entry = entries[i];
        if (entry) log.append(...drawEntry(view, entry, entries[i - 1], signal));
      }
      drawn = entries;
      empty.hidden = entries.length > 0;
      log.hidden = entries.length === 0;
      if (along) toEnd();
      else fresh.hidden = false;
    },
    signal,
  );
  on(
    log,
    'scroll',
    () => {
      if (atEnd()) fresh.hidden = true;
    },
    signal,
  );
  on(fresh, 'click', toEnd, signal);
  mountComposer(root, view, signal);
  requestAnimationFrame(toEnd);
}

/**
 * @param {View} view
 * @param {ChatEntry} entry
 * @param {ChatEntry | undefined} before
 * @param {AbortSignal} signal
 * @returns {HTMLElement[]}
 */
function drawEntry(view, entry, before, signal) {
  const { words } = view;
  const date = new Date(entry.time);
  const newDay = !before || new Date(before.time).toDateString() !== date.toDateString();
  const together =
    !newDay &&
    before.source === entry.source &&
    before.direction === entry.direction &&
    before.peer === entry.peer &&
    !entry.action &&
    entry.time - before.time < TOGETHER;
  const kinds = ['message'];
  if (entry.own) kinds.push('own');
  if (entry.direction) kinds.push('private');
  const item = el('li', { class: kinds.join(' ') });
  if (!together) item.append(headOf(view, entry, date, signal));
  item.append(bodyOf(entry));
  const today = date.toDateString() === new Date().toDateString();
  if (!newDay || (today && !before)) return [item];
  const day = el(
    'li',
    { class: 'day' },
    today ? words.t('today') : words.day.format(date),
  );
  return [day, item];
}

/**
 * @param {View} view
 * @param {ChatEntry} entry
 * @param {Date} date
 * @param {AbortSignal} signal
 */
function headOf({ words, look }, entry, date, signal) {
  const author = entry.own ? words.t('you') : entry.username || words.t('nobody');
  const head = el(
    'div',
    { class: 'message-head' },
    nameOf(author),
    el(
      'time',
      { datetime: date.toISOString(), title: words.moment.format(date) },
      words.clock.format(date),
    ),
  );
  if (!entry.direction) return head;
  const whom = words.t('chat.private.to', { name: entry.peerName || words.t('nobody') });
  const label = entry.direction === 'to' ? whom : words.t('chat.private.from');
  head.append(el('span', { class: 'private-label' }, label));
  if (entry.direction === 'from' && entry.peer) {
    const reply = iconButton(words.t('chat.reply', { name: author }), 'reply', {
      class: 'icon-button tiny',
    });
    on(reply, 'click', () => look.update({ recipient: entry.peer }), signal);
    head.append(reply);
  }
  return head;
}

/** @param {ChatEntry} entry */
function bodyOf(entry) {
  const text = el('p', { class: 'message-body', dir: 'auto' });
  if (entry.action) {
    text.classList.add('action');
    text.append(nameOf(entry.username), ' ');
  }
  for (const part of links(entry.text)) {
    const { href } = part;
    const rel = 'noopener noreferrer';
    text.append(href ? el('a', { href, rel, target: '_blank' }, part.text) : part.text);
  }
  return text;
}

/**
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
function mountComposer(root, view, signal) {
  const { words, session, roster, actions, notices, look } = view;
  const to = el('select', { class: 'field', id: 'chat-to' });
  const text = el('textarea', {
    class: 'field',
    id: 'chat-text',
    rows: 1,
    maxlength: 20000,
    'aria-label': words.t('chat.write'),
    placeholder: words.t('chat.write'),
    enterkeyhint: 'send',
    dir: 'auto',
  });
  const send = iconButton(words.t('chat.send'), 'send-horizontal', { type: 'submit' });
  const refused = el('p', { class: 'quiet' }, words.t('chat.not'));
  const form = el(
    'form',
    { class: 'composer' },
    el('div', { class: 'to' }, el('label', { for: to.id }, words.t('chat.to')), to),
    el('div', { class: 'write' }, text, send),
  );
  root.append(form, refused);

  const grow = () => {
    text.style.blockSize = 'auto';
    text.style.blockSize = `${Math.min(text.scrollHeight + 2, 160)}px`;
  };
  const submit = () => {
    const said = text.value.trim();
    if (said === '') return;
    const { recipient } = look.value;
    const member = roster.store.value.members.get(recipient) ?? null;
    if (recipient && !member) {
      notices.add('error', 'chat.gone');
      return;
    }
    if (!actions.say(said, member)) {
      notices.add('error', 'chat.unsent');
      return;
    }
    text.value = '';
    grow();
  };
  on(text, 'input', grow, signal);
  on(
    text,
    'keydown',
    e => {
      if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      submit();
    },
    signal,
  );
  on(
    form,
    'submit',
    e => {
      e.preventDefault();
      submit();
    },
    signal,
  );
  on(to, 'change', () => look.update({ recipient: to.value }), signal);

  const drawRecipients = () => {
    const { recipient } = look.value;
    const self = session.store.value.id;
    const others = inOrder(roster.store.value.members, self).filter(m => m.id !== self);
    const options = others.map(m =>
      el('option', { value: m.id }, m.username || words.t('nobody')),
    );
    if (recipient && !others.some(m => m.id === recipient)) {
      options.push(el('option', { value: recipient }, words.t('chat.to.gone')));
    }
    to.replaceChildren(el('option', { value: '' }, words.t('chat.to.all')), ...options);
    to.value = recipient;
    form.classList.toggle('private', recipient !== '');
  };
  roster.store.watch(s => s.members, drawRecipients, signal);
  look.watch(
    s => s.recipient,
    recipient => {
      drawRecipients();
      if (recipient) text.focus();
    },
    signal,
  );
  session.store.watch(
    s => s.permissions.includes('message'),
    may => {
      form.hidden = !may;
      refused.hidden = may;
    },
    signal,
  );
  text.focus();
}
