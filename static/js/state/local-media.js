/** @import { Devices, Refusal } from '../media/capture.js' */
/** @import { Notices } from './notices.js' */
/** @import { Settings } from './settings.js' */
import { listDevices, openDevices, openScreen, refusalOf } from '../media/capture.js';
import { Store } from './store.js';

/**
 * @typedef {object} Source a camera or a microphone
 * @property {boolean} on whether the person wants to be seen, or heard
 * @property {boolean} opening
 * @property {MediaStreamTrack | null} track
 * @property {Refusal | 'lost' | null} problem why it is off although it was asked for
 */

/**
 * @typedef {object} LocalState
 * @property {Source} camera
 * @property {Source} microphone
 * @property {MediaStream | null} share
 * @property {boolean} sharing whether a share is being chosen or shown
 * @property {Devices} devices
 */

/** @typedef {'camera' | 'microphone'} SourceName */

/** @type {Source} */
const off = { on: false, opening: false, track: null, problem: null };

/**
 * One's own camera, microphone and screen. A camera that is off is closed, so that its
 * light goes out; a microphone that is off stays open but sends silence, so that it is
 * back at once.
 */
export class LocalMedia {
  store = new Store(
    /** @type {LocalState} */ ({
      camera: off,
      microphone: off,
      share: null,
      sharing: false,
      devices: { cameras: [], microphones: [], speakers: [] },
    }),
  );
  #settings;
  #notices;
  #over = new AbortController();

  /**
   * @param {Store<Settings>} settings
   * @param {Notices} notices
   */
  constructor(settings, notices) {
    this.#settings = settings;
    this.#notices = notices;
    const { signal } = this.#over;
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#list(), {
      signal,
    });
  }

  /** Opens what was on last time. */
  async start() {
    const { cameraOn, microphoneOn } = this.#settings.value;
    void this.#list();
    if (cameraOn && microphoneOn && (await this.#openBoth())) return;
    if (microphoneOn) await this.#open('microphone');
    if (cameraOn) await this.#open('camera');
  }

  /** @param {boolean} on */
  async setCamera(on) {
    this.#settings.update({ cameraOn: on });
    if (on) await this.#open('camera');
    else this.#close('camera');
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    this.#settings.update({ microphoneOn: on });
    const { track } = this.store.value.microphone;
    if (!track) {
      if (on) await this.#open('microphone');
      else this.#patch('microphone', off);
      return;
    }
    track.enabled = on;
    this.#patch('microphone', { on, problem: null });
  }

  /**
   * Uses another device from now on.
   *
   * @param {SourceName} name
   * @param {string} id device id
   */
  async choose(name, id) {
    this.#settings.update(name === 'camera' ? { camera: id } : { microphone: id });
    if (this.store.value[name].track || this.store.value[name].problem) {
      await this.#open(name);
    }
  }

  /** Asks for what to share, and shares it. */
  async share() {
    if (this.store.value.sharing) return;
    this.store.update({ sharing: true });
    try {
      const share = await openScreen();
      for (const track of share.getVideoTracks()) {
        track.addEventListener('ended', () => this.stopShare());
      }
      this.store.update({ share });
    } catch (error) {
      this.store.update({ sharing: false });
      // To close the question is no mistake; browsers do not tell it from a refusal.
      const refusal = refusalOf(error);
      if (refusal !== 'denied') this.#notices.add('error', 'share.failed');
    }
  }

  stopShare() {
    for (const track of this.store.value.share?.getTracks() ?? []) track.stop();
    this.store.update({ share: null, sharing: false });
  }

  /** Closes all devices; what was on is remembered for the next time. */
  close() {
    this.stopShare();
    this.#close('camera');
    this.#close('microphone');
  }

  /** Closes all devices for good. */
  release() {
    this.#over.abort();
    this.close();
  }

  async #list() {
    this.store.update({ devices: await listDevices() });
  }

  /** @returns {Promise<boolean>} whether both could be opened */
  async #openBoth() {
    this.#patch('camera', { on: true, opening: true });
    this.#patch('microphone', { on: true, opening: true });
    try {
      const { camera, microphone } = this.#settings.value;
      const tracks = await openDevices({ camera, microphone });
      this.#adopt('camera', tracks.camera);
      this.#adopt('microphone', tracks.microphone);
      void this.#list();
      return true;
    } catch {
      // Each on its own tells which of them it is.
      return false;
    }
  }

  /** @param {SourceName} name */
  async #open(name) {
    this.#patch(name, { on: true, opening: true, problem: null });
    try {
      // Some systems cannot open a camera that is in use, be it by this page.
      if (name === 'camera') this.store.value.camera.track?.stop();
      const tracks = await openDevices({ [name]: this.#settings.value[name] });
      this.#adopt(name, tracks[name]);
      void this.#list();
    } catch (error) {
      this.#close(name);
      this.#patch(name, { problem: refusalOf(error) });
    }
  }

  /**
   * @param {SourceName} name
   * @param {MediaStreamTrack | null} track
   */
  #adopt(name, track) {
    const before = this.store.value[name];
    if (!before.on || this.#over.signal.aborted) {
      // Switched off while it was being opened.
      track?.stop();
      this.#patch(name, off);
      return;
    }
    track?.addEventListener('ended', () => void this.#lost(name, track));
    this.#patch(name, { on: true, opening: false, track, problem: null });
    if (before.track !== track) before.track?.stop();
  }

  /**
   * A device was unplugged or taken away: another one takes its place, if there is one.
   *
   * @param {SourceName} name
   * @param {MediaStreamTrack} track
   */
  async #lost(name, track) {
    if (this.store.value[name].track !== track) return;
    const { on } = this.store.value[name];
    this.#settings.update(name === 'camera' ? { camera: '' } : { microphone: '' });
    if (on) await this.#open(name);
    else this.#close(name);
    const now = this.store.value[name].track;
    if (now) {
      this.#notices.add('warning', `${name}.replaced`, { device: now.label });
    } else {
      this.#patch(name, { problem: on ? 'lost' : null });
      this.#notices.add('error', `${name}.lost`);
    }
  }

  /** @param {SourceName} name */
  #close(name) {
    const { track } = this.store.value[name];
    this.#patch(name, off);
    track?.stop();
  }

  /**
   * @param {SourceName} name
   * @param {Partial<Source>} patch
   */
  #patch(name, patch) {
    this.store.update({ [name]: { ...this.store.value[name], ...patch } });
  }
}
