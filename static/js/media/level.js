/**
 * Measures how loud a track is.
 *
 * @param {MediaStreamTrack} track of a microphone
 * @param {AbortSignal} signal ends the measuring
 * @returns {() => number} the loudness now, from 0 to 1
 */
export function meter(track, signal) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  signal.addEventListener(
    'abort',
    () => {
      source.disconnect();
      void context.close();
    },
    { once: true },
  );
  // Browsers hold sound back until the page was used; the level starts with that.
  const resume = () => void context.resume();
  document.addEventListener('pointerdown', resume, { signal });
  document.addEventListener('keydown', resume, { signal });
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    // -60 dB and below is silence, -10 dB is a loud voice.
    const decibel = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (decibel + 60) / 50));
  };
}

/**
 * How loud what a receiver or a sender carries is, from 0 to 1.
 *
 * @param {RTCRtpReceiver | RTCRtpSender} end
 * @returns {Promise<number>} 0 if the browser does not say
 */
export async function levelOf(end) {
  let level = 0;
  for (const report of (await end.getStats()).values()) {
    if (typeof report.audioLevel === 'number') level = Math.max(level, report.audioLevel);
  }
  return level;
}
