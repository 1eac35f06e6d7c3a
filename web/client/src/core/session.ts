/**
 * One signed-in user: API, socket, live data, edits, and the snapshot for the next visit. The constructor opens nothing.
 *
 * It shows the data of the last visit first, then a new snapshot, then each message. While the socket is not live, it
 * reloads the snapshot at an interval, so the page also works without the broker.
 */
import type { QueryClient } from '@tanstack/react-query';

import { channelOf } from '../index.js';
import type { CalendarList, Freshness, Message, Status } from '../generated/types.js';
import { type Api, createApi, type GetAuthToken } from './api.js';
import { type EditState, NO_EDITS } from './edit-outcome.js';
import { type CalwireError, signedOut } from './error.js';
import { invalidate, invalidateEvents, keys, listedEvents } from './keys.js';
import { KeepaliveSender } from './keepalive-sender.js';
import type { LiveState } from './live-state.js';
import { EMPTY, LiveStore, type LiveStoreState } from './live-store.js';
import { overlaid } from './overlay.js';
import { seriesOf } from './occurrence.js';
import { Realtime } from './realtime.js';
import type { ShownData } from './reducer.js';
import { sleep } from './sleep.js';
import { Snapshot } from './snapshot.js';
import { Store } from './store.js';
import { Writes } from './writes.js';

/** When the socket has not been live for this time, snapshots are loaded instead. */
const FALLBACK_AFTER = 3_000;
const FALLBACK_EVERY = 30_000;
/** Reading the data of the last visit delays the first load by at most this time. */
const RESTORE_MAX = 500;
/** How long the position of a snapshot loaded before the socket was open is used. The channel's history must reach it. */
const PREFETCH_GOOD_FOR = 30_000;

/** `data` is the server's data with the user's unconfirmed edits applied. */
export interface SessionState extends Omit<LiveStoreState, 'data'> {
  data: ShownData | null;
  live: LiveState;
  edits: EditState;
  /** The user has signed out here. */
  ended: boolean;
}

export const SIGNED_OUT: SessionState = { ...EMPTY, live: 'signedOut', edits: NO_EDITS, ended: true };

export interface SessionOptions {
  apiUrl: string;
  wsUrl: string;
  userId: string;
  getAuthToken: GetAuthToken;
  cache: QueryClient;
  /** Keep the last events in this browser. */
  remember: boolean;
}

interface Position {
  epoch: string;
  offset: number;
}

export class Session {
  readonly userId: string;
  readonly channel: string;
  readonly api: Api;
  readonly realtime: Realtime;
  /** The user's edits. */
  readonly writes: Writes;
  readonly cache: QueryClient;
  readonly state: Store<SessionState>;
  readonly #live: LiveStore;
  readonly #keepalive: KeepaliveSender;
  readonly #snapshot: Snapshot | undefined;
  /** Unconfirmed selections, shown as if they were applied. */
  readonly selecting = new Store<ReadonlyMap<string, boolean>>(new Map());
  /** The name of the broadcast channel to the user's other tabs. */
  readonly #tabsName: string;
  #tabs: BroadcastChannel | undefined;
  #holders = 0;
  #started = false;
  #release: (() => void) | undefined;
  #fallback: ReturnType<typeof setTimeout> | undefined;
  #prefetched: { position: Promise<Position>; at: number } | undefined;

  constructor({ apiUrl, wsUrl, userId, getAuthToken, cache, remember }: SessionOptions) {
    this.userId = userId;
    this.channel = channelOf(userId);
    this.cache = cache;
    this.#keepalive = new KeepaliveSender({ apiUrl, userId, getAuthToken });
    this.api = createApi({ apiUrl, getToken: this.#keepalive.getToken });
    this.#tabsName = `calwire ${apiUrl} ${userId}`;
    this.#snapshot = remember ? new Snapshot(apiUrl, userId) : undefined;
    this.state = new Store<SessionState>({ ...EMPTY, live: 'connecting', edits: NO_EDITS, ended: false });
    this.#live = new LiveStore({
      load: (input) => this.api.realtime.getState.query(input),
      onMessages: (messages) => this.#onMessages(messages),
      onCaughtUp: () => void invalidate(cache, { queryKey: keys.user(userId) }),
    });
    this.writes = this.#createWrites();
    this.realtime = new Realtime({
      wsUrl,
      getConnectionToken: async () => (await this.api.realtime.getConnectionToken.query()).token,
      own: {
        channel: this.channel,
        getToken: async () => (await this.api.realtime.getSubscriptionToken.query({ channel: this.channel })).token,
        getState: () => this.#position(),
      },
    });
  }

  #createWrites(): Writes {
    const serverData = () => this.#live.state.get().data;
    return new Writes({
      api: this.api,
      sendKeepalive: (procedure, input) => this.#keepalive.send(procedure, input),
      serverData,
      onServerData: (callback) => this.#live.state.subscribe(callback),
      knownSeries: (calendarId) => {
        const listed = listedEvents(this.cache, this.userId).filter((event) => event.calendarId === calendarId);
        return new Set([...(serverData()?.series.get(calendarId)?.keys() ?? []), ...listed.map(seriesOf)]);
      },
      reload: () => this.reload(),
      refetch: (calendarIds) => invalidateEvents(this.cache, this.userId, calendarIds),
    });
  }

  /** Keeps the session open until the returned function is called. */
  retain(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) this.#open();
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) this.#close();
    };
  }

  /** Tries again now, even after a rejection. */
  retry(): void {
    this.realtime.retry();
    void this.reload();
  }

  /** Loads a new snapshot. A failure is in the state. */
  async reload(): Promise<void> {
    if (this.state.get().ended) return;
    // A running load may have read before the change that the caller wants to see.
    await this.#live.idle();
    await this.#live.load(false).catch(() => undefined);
  }

  /** Reloads everything, after a change that messages may not announce for a while. */
  async refresh(): Promise<void> {
    await Promise.all([this.reload(), invalidate(this.cache, { queryKey: keys.user(this.userId) })]);
  }

  /** Whether calendars are kept current and shown. Applied in the page before the server has answered. */
  async select(calendarIds: string[], selected: boolean): Promise<void> {
    const selecting = new Map(this.selecting.get());
    for (const id of calendarIds) selecting.set(id, selected);
    this.selecting.set(selecting);
    const key = keys.calendars(this.userId);
    try {
      await this.cache.cancelQueries({ queryKey: key });
      const list = await this.api.calendar.google.selectCalendars.mutate({ calendarIds, selected });
      if (!this.state.get().ended) this.cache.setQueryData(key, list);
      void this.reload();
    } finally {
      const left = new Map(this.selecting.get());
      // Keep a later selection of the same calendar.
      for (const id of calendarIds) if (left.get(id) === selected) left.delete(id);
      this.selecting.set(left);
    }
  }

  /**
   * Closes the session and deletes the user's data from this browser. With `signedOut`, the user's other tabs do the same;
   * without, they only stop saving. Null: another tab requested it.
   */
  async end(signedOut: boolean | null = true): Promise<void> {
    if (this.state.get().ended) return;
    if (signedOut !== null) {
      const tabs = channelTo(this.#tabsName);
      tabs?.postMessage(signedOut);
      tabs?.close();
    }
    this.writes.close();
    this.state.set(SIGNED_OUT);
    this.#live.close();
    this.#close();
    this.realtime.close();
    const filter = { queryKey: keys.user(this.userId) };
    await this.cache.cancelQueries(filter);
    this.cache.removeQueries(filter);
    await this.#snapshot?.wipe();
  }

  /** Updates the calendars' freshness from another response. */
  noteFreshness(calendars: readonly Freshness[]): void {
    this.#live.noteFreshness(calendars);
  }

  /** Saves the current data for the next visit. */
  remember(): void {
    this.#snapshot?.save(() => {
      const { data } = this.#live.state.get();
      if (!data) return null;
      return {
        data,
        calendars: this.cache.getQueryData<CalendarList>(keys.calendars(this.userId)),
        status: this.cache.getQueryData<Status>(keys.status(this.userId)),
        savedAt: Date.now(),
      };
    });
  }

  #open(): void {
    if (this.state.get().ended) return;
    this.#release = this.realtime.retain();
    document.addEventListener('visibilitychange', this.#onVisibility);
    addEventListener('pagehide', this.#onPageHide);
    this.#tabs = channelTo(this.#tabsName);
    if (this.#tabs) this.#tabs.onmessage = ({ data }) => void (data ? this.end(null) : this.#snapshot?.wipe());
    if (this.#started) this.#live.resume();
    else this.#start();
    this.#watch();
  }

  #close(): void {
    this.writes.flush();
    this.#live.pause();
    this.#tabs?.close();
    this.#release?.();
    this.#release = undefined;
    clearTimeout(this.#fallback);
    this.#fallback = undefined;
    document.removeEventListener('visibilitychange', this.#onVisibility);
    removeEventListener('pagehide', this.#onPageHide);
    void this.#snapshot?.flush();
  }

  #start(): void {
    this.#started = true;
    this.#live.state.subscribe(() => this.#onLiveData());
    this.writes.state.subscribe(() => this.#onEdits());
    this.realtime.listen(this.channel, {
      onMessage: (data, { offset }) => this.#live.receive(data as Message, offset),
      onLost: () => void this.reload(),
    });
    this.realtime.watch(this.channel, () => this.#onLive());
    // Load before the socket is open, so that the first paint does not wait for it. The request names the restored data. A
    // database that hangs must not delay it for long.
    const position = Promise.race([this.#restore(), sleep(RESTORE_MAX)]).then(() => this.#loadPosition());
    position.catch(() => undefined);
    this.#prefetched = { position, at: Date.now() };
  }

  async #restore(): Promise<void> {
    const remembered = await this.#snapshot?.open(Date.now());
    if (!remembered || this.state.get().ended) return;
    this.#live.hydrate(remembered.data);
    const put = (key: readonly unknown[], value: CalendarList | Status | undefined) => {
      // Marked as old, so that it is shown at once and reloaded: messages were missed since it was saved.
      if (value && !this.cache.getQueryData(key)) this.cache.setQueryData(key, value, { updatedAt: 1 });
    };
    put(keys.calendars(this.userId), remembered.calendars);
    put(keys.status(this.userId), remembered.status);
  }

  /** The position at which the subscription starts. The snapshot of that position is loaded. */
  async #position(): Promise<Position> {
    const prefetched = this.#prefetched;
    this.#prefetched = undefined;
    if (prefetched && Date.now() - prefetched.at < PREFETCH_GOOD_FOR) {
      const position = await prefetched.position.catch(() => null);
      if (position) return position;
    }
    return this.#loadPosition();
  }

  async #loadPosition(): Promise<Position> {
    if (this.state.get().ended) throw signedOut();
    const { epoch, offset } = await this.#live.load(true);
    // A live load always has both.
    return { epoch: epoch ?? '', offset: offset ?? 0 };
  }

  #onMessages(messages: readonly Message[]): void {
    const changed = new Set<string>();
    for (const message of messages) if (message.type === 'events.changed') changed.add(message.calendarId);
    if (changed.size > 0) void invalidateEvents(this.cache, this.userId, changed);
    this.writes.onMessages(messages);
    void invalidate(this.cache, { queryKey: [...keys.user(this.userId), 'activity'] });
  }

  #onLiveData(): void {
    if (this.state.get().ended) return;
    const before = this.state.get();
    const live = this.#live.state.get();
    this.#show(live);
    if (live.source !== 'server') return;
    this.remember();
    if (before.source !== 'server' || (before.error && !live.error)) this.#retryFailedQueries();
  }

  #onEdits(): void {
    if (this.state.get().ended) return;
    const isUndoable = this.writes.state.get().writes.some(({ phase }) => phase === 'undoable');
    if (isUndoable) this.#keepalive.prepare();
    this.#show({ ...this.#live.state.get(), at: Date.now() });
  }

  #show(state: LiveStoreState): void {
    const edits = this.writes.state.get();
    const data = state.data && overlaid(state.data, edits.writes);
    this.state.set({ ...state, data, live: this.#liveState(state.error), edits, ended: false });
  }

  /** The server is reachable again. */
  #retryFailedQueries(): void {
    const predicate = ({ state }: { state: { status: string } }) => state.status === 'error';
    void this.cache.invalidateQueries({ queryKey: keys.user(this.userId), predicate });
  }

  #onLive(): void {
    const state = this.state.get();
    if (state.ended) return;
    const live = this.#liveState(state.error);
    if (live !== state.live) this.state.set({ ...state, live });
    this.#watch();
  }

  #liveState(error: CalwireError | null): LiveState {
    const { live } = this.realtime.stateOf(this.channel);
    if (error?.isSignedOut) return 'signedOut';
    const trying = live === 'connecting' || live === 'reconnecting';
    return trying && error?.code === 'NETWORK' ? 'offline' : live;
  }

  /** Loads snapshots while the socket is not live. */
  #watch(): void {
    const { live } = this.state.get();
    const needed = this.#holders > 0 && live !== 'live' && live !== 'signedOut';
    if (!needed) {
      clearTimeout(this.#fallback);
      this.#fallback = undefined;
    } else {
      this.#fallback ??= setTimeout(() => this.#fallBack(), FALLBACK_AFTER);
    }
  }

  #fallBack(): void {
    this.#fallback = setTimeout(() => this.#fallBack(), FALLBACK_EVERY * (0.8 + Math.random() * 0.4));
    if (!document.hidden) void this.#live.load(false).catch(() => undefined);
  }

  readonly #onVisibility = (): void => {
    if (document.hidden) {
      // On a phone this may be the page's last event.
      void this.#snapshot?.flush();
      return;
    }
    const { live } = this.state.get();
    if (live !== 'live') this.retry();
  };

  readonly #onPageHide = (): void => {
    this.writes.leave();
    void this.#snapshot?.flush();
  };
}

/** Some browsers and test environments do not have BroadcastChannel. */
function channelTo(name: string): BroadcastChannel | undefined {
  return typeof BroadcastChannel === 'function' ? new BroadcastChannel(name) : undefined;
}
