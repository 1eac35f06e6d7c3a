/**
 * The user's last events in IndexedDB, so that a reload shows something before any network.
 * It is optional: if IndexedDB is broken, full or forbidden, everything else works.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';

import type { CalendarList, Event, Status } from '../generated/types.js';
import { inOrder } from './occurrence.js';
import { eventsOf, group, type LiveData } from './reducer.js';
import { DAY } from './zone.js';

/** Rows of other versions are ignored. Those of version 1 have cut texts. */
const VERSION = 2;
/** A few hundred kilobytes. Users with more events see the rest when the server has answered. */
const EVENTS_MAX = 1_000;
/** The characters of all descriptions. Each is kept as the server sent it, because an edit is made from it. */
const DESCRIPTIONS_MAX = 2_000_000;
const AGE_MAX = 30 * DAY;
/** Events that ended longer ago are past in every zone. */
const RECENT = 3 * DAY;
/** The minimum interval between writes. The first is not delayed, because the page may be closed at once. */
const WRITE_EVERY = 1_000;

export interface Remembered {
  data: LiveData;
  calendars: CalendarList | undefined;
  status: Status | undefined;
  savedAt: number;
}

interface Row extends Remembered {
  version: number;
  userId: string;
}

export class Snapshot {
  readonly #apiUrl: string;
  readonly #userId: string;
  #database: UseStore | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: (() => Remembered | null) | undefined;
  #writtenAt = 0;
  #wiped = false;

  constructor(apiUrl: string, userId: string) {
    this.#apiUrl = apiUrl;
    this.#userId = userId;
  }

  get #key(): string {
    return `${this.#apiUrl} ${this.#userId}`;
  }

  /** Reads the user's row and deletes those of other users of this browser. */
  async open(now: number): Promise<Remembered | null> {
    const row = await this.#quietly(async (database) => {
      const kept = await database('readonly', (store) => promisifyRequest(store.getAllKeys() as IDBRequest<string[]>));
      const isOther = (key: string) => key.startsWith(`${this.#apiUrl} `) && key !== this.#key;
      await remove(database, kept.filter(isOther));
      return database('readonly', (store) => promisifyRequest<Row | undefined>(store.get(this.#key)));
    });
    const usable = row?.version === VERSION && row.userId === this.#userId && now - row.savedAt < AGE_MAX;
    return usable ? row : null;
  }

  /** Saves what `remember` returns, after a delay that combines changes into one write. */
  save(remember: () => Remembered | null): void {
    if (this.#wiped) return;
    this.#waiting = remember;
    const wait = Math.max(0, this.#writtenAt + WRITE_EVERY - Date.now());
    this.#timer ??= setTimeout(() => void this.flush(), wait);
  }

  /** Writes a delayed save now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const remember = this.#waiting;
    this.#waiting = undefined;
    const remembered = remember?.();
    if (!remembered || this.#wiped) return;
    this.#writtenAt = Date.now();
    const row: Row = {
      ...remembered,
      data: bounded(remembered.data, remembered.savedAt),
      version: VERSION,
      userId: this.#userId,
    };
    await this.#quietly((database) => database('readwrite', (store) => written(store, this.#key, row)));
  }

  /** Deletes the user's row. Later saves are ignored. */
  async wipe(): Promise<void> {
    this.#wiped = true;
    clearTimeout(this.#timer);
    await this.#quietly((database) => remove(database, [this.#key]));
  }

  async #quietly<T>(work: (database: UseStore) => Promise<T>): Promise<T | undefined> {
    try {
      this.#database ??= createStore('calwire', 'snapshots');
      return await work(this.#database);
    } catch {
      // A private window, a full disk, or a database blocked by another tab. The next call opens it again.
      this.#database = undefined;
      return undefined;
    }
  }
}

async function remove(database: UseStore, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await database('readwrite', (store) => {
    for (const key of keys) store.delete(key);
    return promisifyRequest(store.transaction);
  });
}

/** Commits explicitly. Left to the browser, a transaction is lost if the page closes at this moment. */
function written(store: IDBObjectStore, key: string, row: Row): Promise<unknown> {
  const done = promisifyRequest(store.transaction);
  store.put(row, key);
  store.transaction.commit();
  return done;
}

/** Limits the data: drops past events first, then those furthest ahead. */
function bounded(data: LiveData, now: number): LiveData {
  const ordered = inOrder(eventsOf(data), 'UTC');
  const recent = now - RECENT;
  const all = fitting(ordered) < ordered.length ? ordered.filter((event) => Date.parse(event.end) > recent) : ordered;
  const events = all.slice(0, fitting(all));
  const firstLeftOut = all[events.length];
  const from = all.length < ordered.length ? Math.max(data.window.from, recent) : data.window.from;
  const to = firstLeftOut ? Date.parse(firstLeftOut.start) : data.window.to;
  return { ...data, series: group(events), window: { from, to } };
}

/** The number of events that are kept. */
function fitting(events: readonly Event[]): number {
  let left = DESCRIPTIONS_MAX;
  const full = events.findIndex(({ description }) => (left -= description?.length ?? 0) < 0);
  return Math.min(full === -1 ? events.length : full, EVENTS_MAX);
}
