/**
 * The last known events of a user, kept in IndexedDB, so that a reload shows something before any network.
 * It is a convenience: where IndexedDB is broken, full or forbidden, everything works without it.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';

import type { CalendarList, Event, Status } from '../generated/types.js';
import { inOrder } from './occurrence.js';
import { eventsOf, group, type LiveData } from './reducer.js';
import { DAY } from './zone.js';

/** What another version has written is not read. */
const VERSION = 1;
/** A few hundred kilobytes. Who has more sees the next ones at once and the rest with the answer of the server. */
const EVENTS_MAX = 1_000;
/** Descriptions can be long, and the first paint needs their beginning. */
const DESCRIPTION_MAX = 2_000;
const AGE_MAX = 30 * DAY;
/** What ended before is past in every zone. */
const RECENT = 3 * DAY;
/** Not more often than this. The first is not kept waiting: a page may be left as soon as it was seen. */
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

  /** What is kept of this user. What is kept of others who used this browser goes. */
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

  /** Keeps what `remember` returns, a little later: many changes are one write. */
  save(remember: () => Remembered | null): void {
    if (this.#wiped) return;
    this.#waiting = remember;
    const wait = Math.max(0, this.#writtenAt + WRITE_EVERY - Date.now());
    this.#timer ??= setTimeout(() => void this.flush(), wait);
  }

  /** Writes now what is waiting to be written. */
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

  /** Forgets the user; nothing is written any more. */
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
      // A private window, a full disk, a database that another tab blocks. The next time opens it anew.
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

/** Committed at once: what is written while the page is being left would not be, if it were left to the browser. */
function written(store: IDBObjectStore, key: string, row: Row): Promise<unknown> {
  const done = promisifyRequest(store.transaction);
  store.put(row, key);
  store.transaction.commit();
  return done;
}

/** As much of the data as is worth keeping: what is past goes first, then what is furthest ahead. */
function bounded(data: LiveData, now: number): LiveData {
  const ordered = inOrder(eventsOf(data), 'UTC');
  const recent = now - RECENT;
  const all = ordered.length > EVENTS_MAX ? ordered.filter((event) => Date.parse(event.end) > recent) : ordered;
  const events = all.slice(0, EVENTS_MAX);
  const firstLeftOut = all[EVENTS_MAX];
  const from = all.length < ordered.length ? Math.max(data.window.from, recent) : data.window.from;
  const to = firstLeftOut ? Date.parse(firstLeftOut.start) : data.window.to;
  return { ...data, series: group(events.map(shortened)), window: { from, to } };
}

function shortened(event: Event): Event {
  const { description } = event;
  if (description === null || description.length <= DESCRIPTION_MAX) return event;
  return { ...event, description: `${description.slice(0, DESCRIPTION_MAX)}…` };
}
