/** Calls its listeners at each multiple of a period while the page is visible, with one timer for all of them. */
export class Ticker {
  readonly #period: number;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #now: number;

  constructor(period: number) {
    this.#period = period;
    this.#now = this.#aligned();
  }

  /** The current time, rounded down to the period: the same value until the next tick. */
  readonly now = (): number => {
    // Without listeners there are no ticks, so read the clock.
    if (this.#listeners.size === 0) this.#now = this.#aligned();
    return this.#now;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  };

  #aligned(): number {
    return Math.floor(Date.now() / this.#period) * this.#period;
  }

  #start(): void {
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#tick();
  }

  #stop(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearTimeout(this.#timer);
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#tick();
  };

  readonly #tick = (): void => {
    const now = this.#aligned();
    if (now !== this.#now) {
      this.#now = now;
      for (const listener of this.#listeners) listener();
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(this.#tick, now + this.#period - Date.now());
  };
}
