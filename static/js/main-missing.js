import { openSettings } from './state/settings.js';
import { mountMissing } from './ui/missing.js';
import { mountShell } from './ui/shell.js';

mountShell(openSettings(), mountMissing, new AbortController().signal);
