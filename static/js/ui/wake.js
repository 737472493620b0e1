/**
 * Keeps the screen on. The system takes the lock away when the page is hidden, so that it
 * is asked for again each time it comes back.
 *
 * @param {AbortSignal} signal
 */
export function keepAwake(signal) {
  /** @type {WakeLockSentinel | undefined} */
  let lock;
  const acquire = async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      lock = await navigator.wakeLock?.request('screen');
      if (signal.aborted) await lock?.release();
    } catch {
      // A low battery may refuse it; the meeting goes on.
    }
  };
  void acquire();
  document.addEventListener('visibilitychange', acquire, { signal });
  signal.addEventListener('abort', () => void lock?.release(), { once: true });
}
