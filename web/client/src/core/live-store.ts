/**
 * Keeps a user's live data equal to the server's, in whatever order messages and snapshots arrive.
 *
 * - Messages are applied in batches: a burst is one change for subscribers.
 * - One snapshot is loaded at a time, because two could arrive in the wrong order. A message is published after its commit,
 *   so a snapshot contains all messages received before its load started. Messages received during the load are kept, and
 *   replayed on the snapshot.
 * - A required load that fails is retried with exponential backoff.
 */
import type { Freshness, Message, RealtimeState } from '../generated/types.js';
import { CalwireError } from './error.js';
import { older } from './occurrence.js';
import { apply, fromSnapshot, type LiveData } from './reducer.js';
import { Store } from './store.js';
import { DAY } from './zone.js';

/** Messages within this time are applied as one change. Less than a frame. */
const BURST = 10;
const RETRY_FIRST = 1_000;
const RETRY_MAX = 30_000;
/** The window advances at midnight UTC for all users. This spreads the load over some minutes. */
const ROLL_SPREAD = 600_000;

export interface LiveStoreState {
  data: LiveData | null;
  /** `snapshot`: the data is from the last visit and has not been compared with the server yet. */
  source: 'none' | 'snapshot' | 'server';
  /** Why the last load failed. */
  error: CalwireError | null;
  /** When this state was set. */
  at: number;
}

export const EMPTY: LiveStoreState = { data: null, source: 'none', error: null, at: 0 };

export interface LiveStoreOptions {
  /** `live`: include the position on the channel, which needs the broker. */
  load: (live: boolean) => Promise<RealtimeState>;
  /** Called after messages were applied. */
  onMessages: (messages: Message[]) => void;
  /** Called when a snapshot contains changes that no message has brought. */
  onCaughtUp: () => void;
}

interface Load {
  live: boolean;
  done: Promise<RealtimeState>;
}

export class LiveStore {
  readonly state = new Store<LiveStoreState>(EMPTY);
  readonly #options: LiveStoreOptions;
  #load: Load | undefined;
  /** Received but not applied. */
  #pending: Message[] = [];
  /** Received since the current load started. */
  #duringLoad: Message[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #reloading: ReturnType<typeof setTimeout> | undefined;
  #rolling: ReturnType<typeof setTimeout> | undefined;
  /** When the next snapshot is due; 0: now. */
  #dueAt = 0;
  #paused = false;
  /** Required loads since the data was last complete. */
  #attempts = 0;
  /** The newest message by offset. If a later one does not have a higher `seq`, the server has restarted its stream. */
  #last: { offset: number; seq: number } | undefined;
  /** The server has restarted its stream since the current load started: the snapshot may belong to the old stream. */
  #restarted = false;
  #closed = false;

  constructor(options: LiveStoreOptions) {
    this.#options = options;
  }

  /** Shows data from the last visit until the server has answered. */
  hydrate(data: LiveData): void {
    const state = this.state.get();
    if (!this.#closed && state.source === 'none')
      this.state.set({ ...state, data, source: 'snapshot', at: Date.now() });
  }

  receive(message: Message, offset?: number): void {
    if (this.#closed) return;
    this.#pending.push(message);
    if (this.#hasRestarted(message, offset)) {
      this.#restarted = true;
      this.#requireLoad();
    }
    this.#flushing ??= setTimeout(() => this.#flush(), BURST);
  }

  /** Updates the calendars' freshness from another response of the server. */
  noteFreshness(calendars: readonly Freshness[]): void {
    const { data, ...rest } = this.state.get();
    if (!data || rest.source !== 'server') return;
    const newer = (mine: Freshness) => {
      const other = calendars.find(({ calendarId }) => calendarId === mine.calendarId);
      return other && !older(other.asOf, mine.asOf) ? other : mine;
    };
    const freshness = data.freshness.map(newer);
    const same = freshness.every(
      ({ asOf, mode }, i) => asOf === data.freshness[i]?.asOf && mode === data.freshness[i].mode,
    );
    if (!same) this.#show({ ...rest, data: { ...data, freshness } });
  }

  /** Resolves when the current load has finished. */
  async idle(): Promise<void> {
    await this.#load?.done.catch(() => undefined);
  }

  /** Loads a snapshot, or waits for a running load. Rejects with a CalwireError. */
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

  /** Stops automatic loads while the page does not show the data. */
  pause(): void {
    this.#paused = true;
    clearTimeout(this.#reloading);
    this.#reloading = undefined;
    clearTimeout(this.#rolling);
  }

  /** Resumes automatic loads, starting with one that has become due. */
  resume(): void {
    this.#paused = false;
    if (!this.#load) this.#loadWhenDue();
  }

  close(): void {
    this.pause();
    this.#closed = true;
    clearTimeout(this.#flushing);
    this.state.set(EMPTY);
  }

  async #loadAfter(running: Load | undefined, live: boolean): Promise<RealtimeState> {
    await running?.done.catch(() => undefined);
    // The snapshot contains all messages received so far, even those that could not be applied.
    this.#flush();
    this.#duringLoad = [];
    this.#restarted = false;
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
    if (this.#load) this.#duringLoad.push(...batch);
    const state = this.state.get();
    // Messages cannot be applied to data from the last visit.
    const result = state.data && state.source === 'server' ? applyAll(state.data, batch) : null;
    if (result) this.#show({ ...state, data: result.data });
    if (result?.incomplete ?? true) this.#requireLoad();
    this.#options.onMessages(batch);
  }

  #adopt(state: RealtimeState, live: boolean): void {
    // A message that waits for the end of its burst was received during the load.
    this.#flush();
    const current = this.state.get();
    const before = current.source === 'server' ? current.data : null;
    const isNewStream = before !== null && before.streamEpoch !== state.streamEpoch;
    const snapshot = fromSnapshot(state);
    // After a restart of the stream, messages received during the load may belong to the old or the new one.
    const { data, incomplete } = isNewStream
      ? { data: snapshot, incomplete: this.#duringLoad.length > 0 }
      : applyAll(snapshot, this.#duringLoad);
    const isComplete = !incomplete && !this.#restarted;
    if (live) this.#last = undefined;
    if (before && !isNewStream && data.seq < before.seq) {
      // The snapshot is older than the messages that are already applied. Keep the current data.
      this.#reloadSoon();
      return;
    }
    if (isComplete) this.#attempts = 0;
    this.#show({ data, source: 'server', error: null });
    if (before && (isNewStream || data.seq > before.seq)) this.#options.onCaughtUp();
    // The window advances at midnight UTC.
    this.#dueAt = (Math.floor(Date.now() / DAY) + 1) * DAY + Math.random() * ROLL_SPREAD;
    this.#loadWhenDue();
    if (!isComplete) this.#reloadSoon();
  }

  #failed(error: CalwireError): void {
    const state = this.state.get();
    // Without the broker only the channel's position is missing, which the user does not notice.
    const isVisible = error.reason !== 'BROKER_UNAVAILABLE';
    if (isVisible) this.#show({ ...state, error });
    if (this.#dueAt > Date.now()) this.#loadWhenDue();
    else if (error.retryable) this.#reloadSoon();
  }

  #requireLoad(): void {
    // If the running load fails, it is retried.
    if (this.#load) this.#dueAt = 0;
    else this.#reloadSoon();
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

  #hasRestarted(message: Message, offset: number | undefined): boolean {
    const last = this.#last;
    if (offset === undefined || (last && offset <= last.offset)) return false;
    this.#last = { offset, seq: message.seq };
    return last !== undefined && message.seq <= last.seq;
  }

  #show(next: Omit<LiveStoreState, 'at'>): void {
    const { data, source, error } = this.state.get();
    const same = data === next.data && source === next.source && error === next.error;
    if (!same) this.state.set({ ...next, at: Date.now() });
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
