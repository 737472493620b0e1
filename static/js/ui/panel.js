/** @import { View } from './view.js' */
import { el, iconButton, on, scope } from './dom.js';
import { mountChat } from './chat.js';
import { mountPeople } from './people.js';

/**
 * The side panel: the chat or the people, one at a time.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {AbortSignal} signal
 */
export function mountPanel(root, view, signal) {
  const { words, look, chat } = view;
  const panel = el('aside', { class: 'panel' });
  let life = scope(signal);
  look.watch(
    s => s.panel,
    open => {
      const focused = panel.contains(document.activeElement);
      life.end();
      panel.replaceChildren();
      panel.remove();
      chat.setOpen(open === 'chat');
      if (!open) {
        if (focused) root.querySelector('main')?.focus();
        return;
      }
      life = scope(signal);
      const heading = el('h2', { id: 'panel-title', tabindex: -1 }, words.t(open));
      const close = iconButton(words.t('close'), 'x');
      on(close, 'click', () => look.update({ panel: null }), life.signal);
      panel.setAttribute('aria-labelledby', heading.id);
      panel.append(el('header', { class: 'panel-head' }, heading, close));
      root.append(panel);
      if (open === 'chat') mountChat(panel, view, life.signal);
      else mountPeople(panel, view, life.signal);
      if (open === 'people') heading.focus();
    },
    signal,
  );
}
