/**
 * Keeps a user's live data equal to the server's, in whatever order messages and snapshots arrive.
 *
 * - Messages are applied in batches: a burst is one change for subscribers.
 * - One snapshot is loaded at a time, because two could arrive in the wrong order. A message is published after its commit,
 *   so a snapshot contains all messages received before its load started. Messages received during the load are kept, and
 *   replayed on the snapshot.
 * - A load names the data that is held, the last visit's too, so that the answer has only what is missing. It is applied to
 *   that data, which makes it the snapshot that the server would have sent. When the held data may be wrong, or a message
 *   lacks its changes, the load names nothing.
 * - A required load that fails is retried with exponential backoff.
 */
import type { Freshness, Message, RealtimeState, RealtimeStateInput } from '../generated/types.js';
import { CalwireError } from './error.js';
import { refreshed } from './occurrence.js';
import { applyAll, fromState, type LiveData } from './reducer.js';
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
  load: (input: RealtimeStateInput & { live: boolean }) => Promise<RealtimeState>;
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
  /** The data may be wrong: the next load has to bring all events. Set during a load, its answer may be wrong. */
  #whole = false;
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
      this.#whole = true;
      this.#requireLoad();
    }
    this.#flushing ??= setTimeout(() => this.#flush(), BURST);
  }

  /** Updates the calendars' freshness from another response of the server. */
  noteFreshness(calendars: readonly Freshness[]): void {
    const { data, ...rest } = this.state.get();
    if (!data || rest.source !== 'server') return;
    this.#show({ ...rest, data: { ...data, freshness: refreshed(data.freshness, calendars) } });
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
    clearTimeout(this.#reloading);
    this.#reloading = undefined;
    const isWhole = this.#whole;
    this.#whole = false;
    try {
      const held = this.state.get().data;
      const window = !isWhole && held?.loaded;
      const state = await this.#options.load({
        live,
        held: window ? { streamEpoch: held.streamEpoch, seq: held.seq, window } : undefined,
      });
      if (!this.#closed) this.#adopt(state, held, live);
      return state;
    } catch (cause) {
      this.#whole ||= isWhole;
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
    // During a load, its answer may contain the change.
    if (result?.missing === 'reload' && !this.#load) this.#whole = true;
    if (!result || result.missing) this.#requireLoad();
    this.#options.onMessages(batch);
  }

  #adopt(state: RealtimeState, held: LiveData | null, live: boolean): void {
    // A message that waits for the end of its burst was received during the load.
    this.#flush();
    const current = this.state.get();
    const before = current.source === 'server' ? current.data : null;
    const isNewStream = before !== null && before.streamEpoch !== state.streamEpoch;
    const loaded = fromState(state, held);
    // After a restart of the stream, messages received during the load may belong to the old or the new one.
    const isMixed = isNewStream && this.#duringLoad.length > 0;
    const { data, missing } = (loaded && applyAll(loaded, isMixed ? [] : this.#duringLoad)) ?? {};
    const isUsable = data && (!before || isNewStream || data.seq >= before.seq);
    const isComplete = isUsable && !missing && !isMixed && !this.#whole;
    if (live) this.#last = undefined;
    this.#whole = !isComplete;
    if (!isUsable) {
      // It does not fit to the held data, or is older than the messages that are already applied. Keep the current data.
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
