import { openSettings } from './state/settings.js';
import { mountRecordings } from './ui/recordings.js';
import { mountShell } from './ui/shell.js';

mountShell(openSettings(), mountRecordings, new AbortController().signal);
