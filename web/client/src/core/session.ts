/**
 * Everything of one signed-in user: calls, socket, live data, what is remembered. The constructor opens nothing.
 *
 * First what was known at the last visit is shown, then a snapshot, then each message as it comes. While the socket is
 * not live, snapshots are loaded every now and then instead, so that the page works without the broker.
 */
import type { QueryClient } from '@tanstack/react-query';

import { channelOf } from '../index.js';
import type { CalendarList, Freshness, Message, Status } from '../generated/types.js';
import { type Api, createApi, type GetAuthToken } from './api.js';
import type { CalwireError } from './error.js';
import { invalidateEvents, keys, listedEvents } from './keys.js';
import { LastWord } from './last-word.js';
import type { LiveState } from './live-state.js';
import { type Known, LiveStore, NOTHING } from './live-store.js';
import { overlaid } from './overlay.js';
import { seriesOf } from './occurrence.js';
import { Realtime } from './realtime.js';
import { Snapshot } from './snapshot.js';
import { Store } from './store.js';
import { type EditState, NO_EDITS, Writes } from './writes.js';

/** A socket that is not live for so long is made up for by loading. */
const FALLBACK_AFTER = 3_000;
const FALLBACK_EVERY = 30_000;
/** A snapshot that was loaded before the socket was open tells where to go on from, as long as the history reaches. */
const PREFETCH_GOOD_FOR = 30_000;

/** `data` is what the server told, with the edits that are on their way to it. */
export interface SessionState extends Known {
  live: LiveState;
  edits: EditState;
  /** The user has signed out here. */
  ended: boolean;
}

export const SIGNED_OUT: SessionState = { ...NOTHING, live: 'signedOut', edits: NO_EDITS, ended: true };

export interface SessionOptions {
  apiUrl: string;
  wsUrl: string;
  userId: string;
  getAuthToken: GetAuthToken;
  cache: QueryClient;
  /** Keep the last known events in this browser. */
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
  /** What the user changes. */
  readonly writes: Writes;
  readonly cache: QueryClient;
  readonly state: Store<SessionState>;
  readonly #live: LiveStore;
  readonly #lastWord: LastWord;
  readonly #snapshot: Snapshot | undefined;
  /** Selections on their way to the server, shown as if they had arrived. */
  readonly selecting = new Store<ReadonlyMap<string, boolean>>(new Map());
  /** Leads to the user's other pages in this browser. */
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
    this.#lastWord = new LastWord({ apiUrl, userId, getAuthToken });
    this.api = createApi({ apiUrl, getToken: this.#lastWord.getToken });
    this.#tabsName = `calwire ${apiUrl} ${userId}`;
    this.#snapshot = remember ? new Snapshot(apiUrl, userId) : undefined;
    this.state = new Store<SessionState>({ ...NOTHING, live: 'connecting', edits: NO_EDITS, ended: false });
    this.#live = new LiveStore({
      load: (live) => this.api.realtime.getState.query({ live }),
      onMessages: (messages) => this.#onMessages(messages),
      onCaughtUp: () => void cache.invalidateQueries({ queryKey: keys.user(userId) }),
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
    const told = () => this.#live.known.get().data;
    return new Writes({
      api: this.api,
      lastWord: (procedure, input) => this.#lastWord.say(procedure, input),
      told,
      onTold: (callback) => this.#live.known.subscribe(callback),
      known: (calendarId) => {
        const listed = listedEvents(this.cache, this.userId).filter((event) => event.calendarId === calendarId);
        return new Set([...(told()?.series.get(calendarId)?.keys() ?? []), ...listed.map(seriesOf)]);
      },
      reload: () => this.reload(),
      refetch: (calendarIds) => invalidateEvents(this.cache, this.userId, calendarIds),
    });
  }

  /** Keeps the session going until the returned function is called. */
  retain(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) this.#open();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holders -= 1;
      if (this.#holders === 0) this.#close();
    };
  }

  /** Tries again now, whatever was refused before. */
  retry(): void {
    this.realtime.retry();
    void this.reload();
  }

  /** Loads what is there now. How it went is in the state. */
  async reload(): Promise<void> {
    if (this.state.get().ended) return;
    // A load that is under way may have read before what this one is to see.
    await this.#live.idle();
    await this.#live.load(false).catch(() => undefined);
  }

  /** Everything anew: something was changed here that no message may tell of for a while. */
  async refresh(): Promise<void> {
    await Promise.all([this.reload(), this.cache.invalidateQueries({ queryKey: keys.user(this.userId) })]);
  }

  /** Has calendars kept current and shown, or not. Until the server has answered it is shown as done. */
  async select(calendarIds: string[], selected: boolean): Promise<void> {
    const wished = new Map(this.selecting.get());
    for (const id of calendarIds) wished.set(id, selected);
    this.selecting.set(wished);
    const key = keys.calendars(this.userId);
    try {
      await this.cache.cancelQueries({ queryKey: key });
      const list = await this.api.calendar.google.selectCalendars.mutate({ calendarIds, selected });
      if (!this.state.get().ended) this.cache.setQueryData(key, list);
      void this.reload();
    } finally {
      const left = new Map(this.selecting.get());
      // A later wish for the same calendar stays.
      for (const id of calendarIds) if (left.get(id) === selected) left.delete(id);
      this.selecting.set(left);
    }
  }

  /**
   * Closes, and forgets everything of the user. The browser's other pages do too, if the user has `signedOut`; else they only
   * write nothing back. `null`: it is another page that tells.
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

  /** How current the calendars are, as another answer told. */
  noteFreshness(calendars: readonly Freshness[]): void {
    this.#live.noteFreshness(calendars);
  }

  /** Keeps what is known now for the next visit. */
  remember(): void {
    this.#snapshot?.save(() => {
      const { data } = this.#live.known.get();
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
    this.#live.known.subscribe(() => this.#onKnown());
    this.writes.state.subscribe(() => this.#onEdits());
    this.realtime.listen(this.channel, {
      onMessage: (data, { offset }) => this.#live.receive(data as Message, offset),
      onLost: () => void this.reload(),
    });
    this.realtime.watch(this.channel, () => this.#onLive());
    void this.#recall();
    // Before the socket is open: the first paint does not wait for it.
    const position = this.#loadPosition();
    position.catch(() => undefined);
    this.#prefetched = { position, at: Date.now() };
  }

  async #recall(): Promise<void> {
    const remembered = await this.#snapshot?.open(Date.now());
    if (!remembered || this.state.get().ended) return;
    this.#live.hydrate(remembered.data);
    const put = (key: readonly unknown[], value: CalendarList | Status | undefined) => {
      // Shown at once, and asked for anew however young it is: what changed while nobody looked was told to nobody.
      if (value && !this.cache.getQueryData(key)) this.cache.setQueryData(key, value, { updatedAt: 1 });
    };
    put(keys.calendars(this.userId), remembered.calendars);
    put(keys.status(this.userId), remembered.status);
  }

  /** Where the subscription goes on from, with the state there loaded. */
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
    const { epoch, offset } = await this.#live.load(true);
    // Asked for with the position, they are there.
    return { epoch: epoch ?? '', offset: offset ?? 0 };
  }

  #onMessages(messages: readonly Message[]): void {
    const changed = new Set<string>();
    for (const message of messages) if (message.type === 'events.changed') changed.add(message.calendarId);
    if (changed.size > 0) void invalidateEvents(this.cache, this.userId, changed);
    this.writes.onMessages(messages);
    void this.cache.invalidateQueries({ queryKey: [...keys.user(this.userId), 'activity'] });
  }

  #onKnown(): void {
    if (this.state.get().ended) return;
    const before = this.state.get();
    const known = this.#live.known.get();
    this.#show(known);
    if (known.source !== 'server') return;
    this.remember();
    if (before.source !== 'server' || (before.error && !known.error)) this.#askAgain();
  }

  #onEdits(): void {
    if (this.state.get().ended) return;
    const waits = this.writes.state.get().writes.some(({ phase }) => phase === 'undoable');
    if (waits) this.#lastWord.prepare();
    this.#show({ ...this.#live.known.get(), at: Date.now() });
  }

  #show(known: Known): void {
    const edits = this.writes.state.get();
    const data = known.data && overlaid(known.data, edits.writes);
    this.state.set({ ...known, data, live: this.#judge(known.error), edits, ended: false });
  }

  /** The server answers: what it could not be asked meanwhile is asked now. */
  #askAgain(): void {
    const predicate = ({ state }: { state: { status: string } }) => state.status === 'error';
    void this.cache.invalidateQueries({ queryKey: keys.user(this.userId), predicate });
  }

  #onLive(): void {
    const state = this.state.get();
    if (state.ended) return;
    const live = this.#judge(state.error);
    if (live !== state.live) this.state.set({ ...state, live });
    this.#watch();
  }

  #judge(error: CalwireError | null): LiveState {
    const { live } = this.realtime.stateOf(this.channel);
    if (error?.isSignedOut) return 'signedOut';
    const trying = live === 'connecting' || live === 'reconnecting';
    return trying && error?.code === 'NETWORK' ? 'offline' : live;
  }

  /** Loads every now and then while the socket is not live. */
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
      // On a phone it may be the last that is heard of the page.
      void this.#snapshot?.flush();
      return;
    }
    const { live } = this.state.get();
    if (live === 'signedOut' || live === 'failed') this.retry();
    else if (live !== 'live') void this.reload();
  };

  readonly #onPageHide = (): void => {
    this.writes.leave();
    void this.#snapshot?.flush();
  };
}

/** Not every browser has it, nor every test of an application. */
function channelTo(name: string): BroadcastChannel | undefined {
  return typeof BroadcastChannel === 'function' ? new BroadcastChannel(name) : undefined;
}
