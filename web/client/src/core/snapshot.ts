/**
 * The user's last events in IndexedDB, so that a reload shows something before any network.
 * It is optional: if IndexedDB is broken, full or forbidden, everything else works.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';

import type { CalendarList, Status } from '../generated/types.js';
import { type LiveData, within } from './reducer.js';
import { DAY } from './zone.js';

/** Rows of other versions are ignored, and replaced by the next save. Those of version 2 have flat events. */
const VERSION = 3;
/**
 * Characters of JSON. Of more, the days around today are kept, and the rest is shown when the server has answered. No text is
 * cut, because an edit is made from it.
 */
const SIZE_MAX = 2_000_000;
const AGE_MAX = 30 * DAY;
/** Of too many events, those within this time of now are kept. Events that ended longer ago are past in every zone. */
const BACK = 3 * DAY;
const AHEAD = 10 * DAY;
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
}

export class Snapshot {
  readonly #apiUrl: string;
  /** The key of the user's row: no other user's is read. */
  readonly #key: string;
  #database: UseStore | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: (() => Remembered | null) | undefined;
  #writtenAt = 0;
  #wiped = false;

  constructor(apiUrl: string, userId: string) {
    this.#apiUrl = apiUrl;
    this.#key = `${apiUrl} ${userId}`;
  }

  /** Reads the user's row and deletes those of other users of this browser. */
  async open(now: number): Promise<Remembered | null> {
    const row = await this.#quietly((database) =>
      database('readwrite', (store) => {
        store.delete(IDBKeyRange.bound(`${this.#apiUrl} `, this.#key, false, true));
        store.delete(IDBKeyRange.bound(this.#key, `${this.#apiUrl} \uffff`, true));
        return promisifyRequest<Row | undefined>(store.get(this.#key));
      }),
    );
    const usable = row?.version === VERSION && now - row.savedAt < AGE_MAX;
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
    };
    await this.#change((store) => store.put(row, this.#key));
  }

  /** Deletes the user's row. Later saves are ignored. */
  async wipe(): Promise<void> {
    this.#wiped = true;
    clearTimeout(this.#timer);
    await this.#change((store) => store.delete(this.#key));
  }

  /** Commits explicitly. Left to the browser, a transaction is lost if the page closes at this moment. */
  async #change(change: (store: IDBObjectStore) => void): Promise<void> {
    await this.#quietly((database) =>
      database('readwrite', (store) => {
        const done = promisifyRequest(store.transaction);
        change(store);
        store.transaction.commit();
        return done;
      }),
    );
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

/** The days around today, if there is too much for all. */
function bounded(data: LiveData, now: number): LiveData {
  const texts = JSON.stringify([...data.series.values()].map((calendar) => [...calendar.values()]));
  if (texts.length <= SIZE_MAX) return data;
  const { from, to } = data.window;
  return within(data, { from: Math.max(from, now - BACK), to: Math.min(to, now + AHEAD) });
}
