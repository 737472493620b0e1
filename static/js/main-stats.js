import { openSettings } from './state/settings.js';
import { mountShell } from './ui/shell.js';
import { mountStats } from './ui/stats.js';

mountShell(
  openSettings(),
  (words, signal) => {
    document.body.replaceChildren();
    mountStats(document.body, words, signal);
  },
  new AbortController().signal,
);
