/** Timers count no sleep, and none is longer than 24 days: look at the clock now and then. */
const LOOK_EVERY = 60_000;

/** Calls back once the time has come. Returns how to call it off. */
export function at(time: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
  const look = () => {
    clearTimeout(timer);
    const left = time - Date.now();
    if (left > 0) {
      timer = setTimeout(look, Math.min(left, LOOK_EVERY));
      return;
    }
    stop();
    callback();
  };
  document.addEventListener('visibilitychange', look);
  // Not at once: the caller may be in the middle of something.
  timer = setTimeout(look, Math.max(0, Math.min(time - Date.now(), LOOK_EVERY)));
  return stop;
}
