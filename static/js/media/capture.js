/**
 * Why a device could not be had: `denied` by the person or the system, `missing`, `busy`
 * with another program, `insecure` because the page did not come over HTTPS, `failed`.
 *
 * @typedef {'denied' | 'missing' | 'busy' | 'insecure' | 'failed'} Refusal
 */

/** @type {Record<string, Refusal>} */
const refusals = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/**
 * @param {unknown} error what getUserMedia or getDisplayMedia threw
 * @returns {Refusal}
 */
export function refusalOf(error) {
  if (!navigator.mediaDevices) return 'insecure';
  return refusals[error instanceof Error ? error.name : ''] ?? 'failed';
}

/**
 * Constraints of a camera: 720p by default.
 *
 * @param {string} deviceId
 */
const camera = deviceId => ({
  deviceId: deviceId ? { ideal: deviceId } : undefined,
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30 },
});

/**
 * Constraints of a microphone.
 *
 * @param {string} deviceId
 */
const microphone = deviceId => ({
  deviceId: deviceId ? { ideal: deviceId } : undefined,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
});

/**
 * Opens the camera, the microphone or both. Both are asked for in one question.
 *
 * @param {{ camera?: string, microphone?: string }} wanted device ids; '' is any, undefined is none
 * @returns {Promise<{ camera: MediaStreamTrack | null, microphone: MediaStreamTrack | null }>}
 */
export async function openDevices(wanted) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: wanted.camera === undefined ? false : camera(wanted.camera),
    audio: wanted.microphone === undefined ? false : microphone(wanted.microphone),
  });
  const [video = null] = stream.getVideoTracks();
  const [audio = null] = stream.getAudioTracks();
  if (video) video.contentHint = 'motion';
  if (audio) audio.contentHint = 'speech';
  return { camera: video, microphone: audio };
}

/** Whether this browser can share the screen. */
export function canShare() {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

/**
 * Asks what to share, and opens it.
 *
 * @returns {Promise<MediaStream>}
 */
export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { frameRate: { max: 30 } },
    audio: true,
  });
  for (const track of stream.getVideoTracks()) track.contentHint = 'detail';
  return stream;
}

/** @typedef {{ id: string, label: string }} Device */
/** @typedef {{ cameras: Device[], microphones: Device[], speakers: Device[] }} Devices */

/**
 * Lists the devices. Before a permission is given, browsers name none of them.
 *
 * @returns {Promise<Devices>}
 */
export async function listDevices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  /** @param {MediaDeviceKind} kind */
  const of = kind =>
    all
      .filter(d => d.kind === kind && d.deviceId !== '')
      .map(d => ({ id: d.deviceId, label: d.label }));
  return {
    cameras: of('videoinput'),
    microphones: of('audioinput'),
    speakers: of('audiooutput'),
  };
}
