/**
 * Keeps a user's live data equal to the server's, whatever order messages and snapshots come in.
 *
 * - Messages are applied in batches: a burst is one change for whoever watches.
 * - One snapshot is loaded at a time, for two could arrive in the wrong order. A message is published after it was
 *   committed, so whatever was received before a load began is contained in it; what is received meanwhile is kept, and
 *   replayed upon it.
 * - A load that is needed and fails is tried again, ever more slowly.
 */
import type { Freshness, Message, RealtimeState } from '../generated/types.js';
import { CalwireError } from './error.js';
import { older } from './occurrence.js';
import { apply, fromSnapshot, type LiveData } from './reducer.js';
import { Store } from './store.js';
import { DAY } from './zone.js';

/** Messages that come so close together are one change. Less than a frame. */
const BURST = 10;
const RETRY_FIRST = 1_000;
const RETRY_MAX = 30_000;
/** The window moves on at midnight, UTC, for everybody: not all browsers should ask at once. */
const ROLL_SPREAD = 600_000;

export interface Known {
  data: LiveData | null;
  /** Where the data is from; what is from the last visit was not compared with the server yet. */
  source: 'none' | 'snapshot' | 'server';
  /** Why the last load failed. */
  error: CalwireError | null;
  /** When this became known. */
  at: number;
}

export const NOTHING: Known = { data: null, source: 'none', error: null, at: 0 };

export interface LiveStoreOptions {
  /** `live`: with the position on the channel, which needs the broker. */
  load: (live: boolean) => Promise<RealtimeState>;
  /** Messages have been applied. */
  onMessages: (messages: Message[]) => void;
  /** A snapshot brought more than the messages had told. */
  onCaughtUp: () => void;
}

interface Load {
  live: boolean;
  done: Promise<RealtimeState>;
}

export class LiveStore {
  readonly known = new Store<Known>(NOTHING);
  readonly #options: LiveStoreOptions;
  #load: Load | undefined;
  /** Received, and not yet applied. */
  #pending: Message[] = [];
  /** Received since the present load began. */
  #meanwhile: Message[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #reloading: ReturnType<typeof setTimeout> | undefined;
  #rolling: ReturnType<typeof setTimeout> | undefined;
  /** When everything is to be loaded anew; 0: now. */
  #dueAt = 0;
  #paused = false;
  /** Loads that were needed since everything was last known. */
  #attempts = 0;
  /** The newest message by its place on the channel. A later one with no higher `seq`: the server began to count anew. */
  #last: { offset: number; seq: number } | undefined;
  #closed = false;

  constructor(options: LiveStoreOptions) {
    this.#options = options;
  }

  /** Shows what was known at the last visit, until the server has answered. */
  hydrate(data: LiveData): void {
    const known = this.known.get();
    if (!this.#closed && known.source === 'none')
      this.known.set({ ...known, data, source: 'snapshot', at: Date.now() });
  }

  receive(message: Message, offset?: number): void {
    if (this.#closed) return;
    this.#pending.push(message);
    if (this.#startedAnew(message, offset)) this.#reloadSoon();
    this.#flushing ??= setTimeout(() => this.#flush(), BURST);
  }

  /** How current the calendars are, as another answer of the server told. */
  noteFreshness(calendars: readonly Freshness[]): void {
    const { data, ...known } = this.known.get();
    if (!data || known.source !== 'server') return;
    const newer = (mine: Freshness) => {
      const told = calendars.find(({ calendarId }) => calendarId === mine.calendarId);
      return told && !older(told.asOf, mine.asOf) ? told : mine;
    };
    const freshness = data.freshness.map(newer);
    const same = freshness.every(
      ({ asOf, mode }, i) => asOf === data.freshness[i]?.asOf && mode === data.freshness[i].mode,
    );
    if (!same) this.#show({ ...known, data: { ...data, freshness } });
  }

  /** No load that has begun is still under way. */
  async idle(): Promise<void> {
    await this.#load?.done.catch(() => undefined);
  }

  /** Loads a snapshot, or waits for one that is being loaded. Rejects with a CalwireError. */
  async load(live: boolean): Promise<RealtimeState> {
    const running = this.#load;
    if (running && (running.live || !live)) return running.done;
    const load: Load = { live, done: this.#loadAfter(running, live) };
    this.#load = load;
    try {
      return await load.done;
    } finally {
      if (this.#load === load) this.#load = undefined;
    }
  }

  /** Nobody looks: nothing is loaded by itself. */
  pause(): void {
    this.#paused = true;
    clearTimeout(this.#reloading);
    this.#reloading = undefined;
    clearTimeout(this.#rolling);
  }

  /** Loads what became due meanwhile. */
  resume(): void {
    this.#paused = false;
    if (!this.#load) this.#loadWhenDue();
  }

  close(): void {
    this.pause();
    this.#closed = true;
    clearTimeout(this.#flushing);
    this.known.set(NOTHING);
  }

  async #loadAfter(running: Load | undefined, live: boolean): Promise<RealtimeState> {
    await running?.done.catch(() => undefined);
    // What was received until now is contained in what is loaded now, even if it could not be applied.
    this.#flush();
    this.#meanwhile = [];
    clearTimeout(this.#reloading);
    this.#reloading = undefined;
    try {
      const state = await this.#options.load(live);
      if (!this.#closed) this.#adopt(state, live);
      return state;
    } catch (cause) {
      const error = CalwireError.of(cause);
      if (!this.#closed) this.#failed(error);
      throw error;
    }
  }

  #flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    if (this.#load) this.#meanwhile.push(...batch);
    const known = this.known.get();
    // Data from the last visit is no ground to build on.
    const result = known.data && known.source === 'server' ? applyAll(known.data, batch) : null;
    if (result) this.#show({ ...known, data: result.data });
    if (!this.#load && (result?.incomplete ?? true)) this.#reloadSoon();
    this.#options.onMessages(batch);
  }

  #adopt(state: RealtimeState, live: boolean): void {
    const known = this.known.get();
    const before = known.source === 'server' ? known.data : null;
    const anew = before !== null && before.streamEpoch !== state.streamEpoch;
    const snapshot = fromSnapshot(state);
    // Whether what came meanwhile belongs before or after a new beginning, nobody can tell.
    const { data, incomplete } = anew
      ? { data: snapshot, incomplete: this.#meanwhile.length > 0 }
      : applyAll(snapshot, this.#meanwhile);
    if (live) this.#last = undefined;
    if (before && !anew && data.seq < before.seq) {
      // Read where this browser's last messages have not arrived yet: older than what is shown.
      this.#reloadSoon();
      return;
    }
    if (!incomplete) this.#attempts = 0;
    this.#show({ data, source: 'server', error: null });
    if (before && (anew || data.seq > before.seq)) this.#options.onCaughtUp();
    // The window moves on at midnight, UTC.
    this.#dueAt = (Math.floor(Date.now() / DAY) + 1) * DAY + Math.random() * ROLL_SPREAD;
    this.#loadWhenDue();
    if (incomplete) this.#reloadSoon();
  }

  #failed(error: CalwireError): void {
    const known = this.known.get();
    // Without the broker there is no position, and still everything else.
    const page = error.reason !== 'BROKER_UNAVAILABLE';
    if (page) this.#show({ ...known, error });
    if (error.retryable && (this.#attempts > 0 || known.source !== 'server')) this.#reloadSoon();
  }

  #reloadSoon(): void {
    this.#dueAt = 0;
    if (this.#paused || this.#reloading !== undefined) return;
    const backoff = Math.min(RETRY_MAX, RETRY_FIRST * 2 ** (this.#attempts - 1));
    const delay = this.#attempts === 0 ? 0 : backoff * (0.5 + Math.random() / 2);
    this.#attempts += 1;
    this.#reloading = setTimeout(() => {
      this.#reloading = undefined;
      this.load(false).catch(() => undefined);
    }, delay);
  }

  #loadWhenDue(): void {
    clearTimeout(this.#rolling);
    if (!this.#paused) this.#rolling = setTimeout(() => this.#reloadSoon(), Math.max(0, this.#dueAt - Date.now()));
  }

  #startedAnew(message: Message, offset: number | undefined): boolean {
    const last = this.#last;
    if (offset === undefined || (last && offset <= last.offset)) return false;
    this.#last = { offset, seq: message.seq };
    return last !== undefined && message.seq <= last.seq;
  }

  #show(known: Omit<Known, 'at'>): void {
    const shown = this.known.get();
    const same = shown.data === known.data && shown.source === known.source && shown.error === known.error;
    if (!same) this.known.set({ ...known, at: Date.now() });
  }
}

function applyAll(data: LiveData, messages: readonly Message[]): { data: LiveData; incomplete: boolean } {
  let incomplete = false;
  for (const message of messages) {
    const outcome = apply(data, message);
    if (outcome.kind === 'applied') data = outcome.data;
    else if (outcome.kind !== 'seen') incomplete = true;
  }
  return { data, incomplete };
}
