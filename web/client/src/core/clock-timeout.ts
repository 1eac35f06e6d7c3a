/** Timers do not count sleep and cannot be longer than 24 days, so the clock is checked at this interval. */
const CHECK_EVERY = 60_000;

/** Calls back at a time of the wall clock. The returned function cancels it. */
export function setClockTimeout(time: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', check);
  };
  const check = () => {
    clearTimeout(timer);
    const left = time - Date.now();
    if (left > 0) {
      timer = setTimeout(check, Math.min(left, CHECK_EVERY));
      return;
    }
    stop();
    callback();
  };
  document.addEventListener('visibilitychange', check);
  // Never synchronously: the caller may be rendering.
  timer = setTimeout(check, Math.max(0, Math.min(time - Date.now(), CHECK_EVERY)));
  return stop;
}
