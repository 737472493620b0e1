import { Store } from './store.js';

/**
 * What this device remembers between visits. Nothing here is secret.
 *
 * @typedef {object} Settings
 * @property {string} username
 * @property {boolean} cameraOn
 * @property {boolean} microphoneOn
 * @property {string} camera device id; '' is the system's choice
 * @property {string} microphone device id
 * @property {string} speaker device id
 * @property {'everything' | 'low' | 'share' | 'audio'} receive
 * @property {'auto' | 'on' | 'off'} simulcast whether the camera is sent in several sizes
 * @property {string} language '' follows the browser
 * @property {'auto' | 'light' | 'dark'} theme
 * @property {boolean} shortcuts whether single letters on the keyboard do something
 */

/** @type {Settings} */
const defaults = {
  username: '',
  cameraOn: true,
  microphoneOn: true,
  camera: '',
  microphone: '',
  speaker: '',
  receive: 'everything',
  simulcast: 'auto',
  language: '',
  theme: 'auto',
  shortcuts: true,
};

/** Where the settings are kept. */
export const KEY = 'galene.settings';

/**
 * Reads what was kept; anything of the wrong type falls back to its default.
 *
 * @param {string | null} text
 * @returns {Settings}
 */
export function parse(text) {
  /** @type {Record<string, unknown>} */
  let kept = {};
  try {
    kept = Object(JSON.parse(text ?? '{}'));
  } catch {
    // Unreadable settings are no settings.
  }
  const entries = Object.entries(defaults).map(([key, value]) => [
    key,
    typeof kept[key] === typeof value ? kept[key] : value,
  ]);
  return Object.fromEntries(entries);
}

/**
 * Opens the settings; changes are written through. A browser without storage forgets them
 * when the page is left.
 *
 * @returns {Store<Settings>}
 */
export function openSettings() {
  /** @type {Storage | undefined} */
  let storage;
  try {
    storage = localStorage;
  } catch {
    // Storage is refused to pages in some privacy modes.
  }
  const store = new Store(parse(storage?.getItem(KEY) ?? null));
  store.watch(
    value => value,
    value => save(storage, value),
    new AbortController().signal,
  );
  return store;
}

/**
 * @param {Storage | undefined} storage
 * @param {Settings} value
 */
function save(storage, value) {
  try {
    storage?.setItem(KEY, JSON.stringify(value));
  } catch {
    // A full disk costs the memory of the settings, not the meeting.
  }
}
