import { openSettings } from './state/settings.js';
import { mountLanding } from './ui/landing.js';
import { mountShell } from './ui/shell.js';

const settings = openSettings();
mountShell(
  settings,
  (words, signal) => {
    document.body.replaceChildren();
    mountLanding(document.body, { words, settings }, signal);
  },
  new AbortController().signal,
);
