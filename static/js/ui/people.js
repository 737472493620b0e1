/** @import { Member } from '../state/roster.js' */
/** @import { Keyed } from './dom.js' */
/** @import { MenuGroup, MenuItem } from './menu.js' */
/** @import { View } from './view.js' */
import { inOrder } from '../state/roster.js';
import { el, iconButton, nameOf, on, reconcile, scope } from './dom.js';
import { ask } from './dialog.js';
import { menuButton } from './menu.js';
import { avatar, mark } from './tile.js';

/** How many people make a search worth its place. */
const SEARCH = 10;

/**
 * Who is in the group.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountPeople(root, view, signal) {
  const { words, session, roster } = view;
  const search = el('input', {
    class: 'field',
    type: 'search',
    'aria-label': words.t('people.search'),
    placeholder: words.t('people.search'),
  });
  const list = el('ul', {
    class: 'people',
    tabindex: 0,
    'aria-label': words.t('people'),
  });
  const none = el('p', { class: 'quiet', role: 'status' }, words.t('people.none'));
  root.append(search, list, none);
  /** @type {Map<string, Keyed<Member>>} */
  const kept = new Map();
  const draw = () => {
    const all = inOrder(roster.store.value.members, session.store.value.id);
    search.hidden = all.length < SEARCH;
    const wanted = search.hidden ? '' : search.value.trim().toLocaleLowerCase();
    const items = all.filter(m => m.username.toLocaleLowerCase().includes(wanted));
    none.hidden = items.length > 0;
    list.hidden = items.length === 0;
    reconcile({
      root: list,
      items,
      key: m => m.id,
      kept,
      make: member => makePerson(view, member, signal),
    });
  };
  on(search, 'input', draw, signal);
  roster.store.watch(s => s.members, draw, signal);
  session.store.watch(s => s.id, draw, signal);
}

/**
 * @param {View} view
 * @param {Member} first
 * @param {AbortSignal} outer
 * @returns {Keyed<Member>}
 */
function makePerson(view, first, outer) {
  const { words, session, roster } = view;
  const { signal, end } = scope(outer);
  const self = first.id === session.store.value.id;
  const name = first.username || words.t('nobody');
  const title = el('span', { class: 'person-name' });
  const marks = el('span', { class: 'marks' });
  const element = el(
    'li',
    { class: 'person', 'data-member-id': first.id, 'data-self': self },
    avatar(first.username),
    title,
    marks,
  );
  if (!self) {
    const menu = iconButton(words.t('person.menu', { name }), 'ellipsis-vertical');
    element.append(menu);
    menuButton(
      menu,
      () => ({
        label: name,
        groups: personGroups(
          view,
          roster.store.value.members.get(first.id) ?? first,
          signal,
        ),
      }),
      signal,
    );
  }
  let drawn = /** @type {Member | null} */ (null);
  /** @param {Member} member */
  const draw = member => {
    if (member === drawn) return;
    drawn = member;
    const roles = [];
    if (self) roles.push(words.t('you'));
    if (member.permissions.includes('op')) roles.push(words.t('host'));
    title.replaceChildren(nameOf(name));
    if (roles.length > 0) title.append(el('small', {}, roles.join(' · ')));
    marks.replaceChildren();
    if (member.hand) marks.append(mark('hand', words.t('hand.raised'), 'hand'));
    if (member.muted) marks.append(mark('mic-off', words.t('muted'), 'muted'));
  };
  draw(first);
  return { element, draw, remove: end };
}

/**
 * @param {View} view
 * @param {Member} member
 * @param {AbortSignal} signal
 * @returns {MenuGroup[]}
 */
function personGroups(view, member, signal) {
  const { words, session, look } = view;
  const own = session.store.value.permissions;
  /** @type {MenuItem[]} */
  const talk = [
    {
      label: words.t('person.message'),
      icon: 'message-square',
      disabled: !own.includes('message'),
      act: () => look.update({ panel: 'chat', recipient: member.id }),
    },
  ];
  const groups = [{ items: talk }];
  if (own.includes('op')) groups.push({ items: hostItems(view, member, signal) });
  return groups;
}

/**
 * @param {View} view
 * @param {Member} member
 * @param {AbortSignal} signal
 * @returns {MenuItem[]}
 */
function hostItems({ words, actions }, member, signal) {
  const name = member.username || words.t('nobody');
  const is = {
    host: member.permissions.includes('op'),
    presenter: member.permissions.includes('present'),
    writer: member.permissions.includes('message'),
  };
  return [
    {
      label: words.t('person.mute'),
      icon: 'mic-off',
      disabled: member.muted,
      act: () => actions.mute(member),
    },
    {
      label: words.t(is.host ? 'person.unop' : 'person.op'),
      icon: is.host ? 'shield-off' : 'shield',
      act: () => actions.change(member, is.host ? 'unop' : 'op'),
    },
    {
      label: words.t(is.presenter ? 'person.unpresent' : 'person.present'),
      icon: is.presenter ? 'video-off' : 'video',
      act: () => actions.change(member, is.presenter ? 'unpresent' : 'present'),
    },
    {
      label: words.t(is.writer ? 'person.shutup' : 'person.unshutup'),
      icon: is.writer ? 'message-square-off' : 'message-square',
      act: () => actions.change(member, is.writer ? 'shutup' : 'unshutup'),
    },
    {
      label: words.t('person.identify'),
      icon: 'id-card',
      act: () => actions.change(member, 'identify'),
    },
    {
      label: words.t('person.kick'),
      icon: 'user-x',
      danger: true,
      act: () =>
        ask({
          words,
          title: words.t('person.kick'),
          text: words.t('person.kick.ask', { name }),
          confirm: words.t('person.kick.yes'),
          reason: words.t('person.kick.reason'),
          act: reason => actions.kick(member, reason),
          signal,
        }),
    },
  ];
}
