/** @import { Settings } from '../state/settings.js' */
/** @import { Store } from '../state/store.js' */
/** @import { Words } from '../i18n/words.js' */
import { loadWords, pick } from '../i18n/words.js';

/**
 * Keeps the page's theme and language as the settings want them. `draw` is called with the
 * words, and again, with a signal of its own, when another language is chosen.
 *
 * @param {Store<Settings>} settings
 * @param {(words: Words, signal: AbortSignal) => void} draw
 * @param {AbortSignal} signal
 */
export function mountShell(settings, draw, signal) {
  const { documentElement } = document;
  settings.watch(
    s => s.theme,
    theme => {
      documentElement.dataset.theme = theme;
    },
    signal,
  );
  let life = new AbortController();
  settings.watch(
    s => pick(s.language, navigator.languages),
    async language => {
      const words = await loadWords(language);
      if (language !== pick(settings.value.language, navigator.languages)) return;
      life.abort();
      life = new AbortController();
      documentElement.lang = words.language;
      documentElement.dir = words.direction;
      draw(words, AbortSignal.any([life.signal, signal]));
    },
    signal,
  );
}
