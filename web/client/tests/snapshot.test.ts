import 'fake-indexeddb/auto';

import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { eventsOf, type LiveData } from '../src/core/reducer.js';
import { Snapshot } from '../src/core/snapshot.js';
import { upcoming } from '../src/core/upcoming.js';
import type { Event } from '../src/generated/types.js';
import { anEvent, anInstance, dataOf, DAY, iso, ModelServer } from './model-server.js';

const NOW = Date.parse('2026-11-24T09:30:00Z');
const API = 'https://calwire.test';

function known(events: Event[]): LiveData {
  const server = new ModelServer(NOW);
  for (const event of events) server.write('work', event.id, [event]);
  return dataOf(server);
}

function remembered(events: Event[], savedAt = NOW) {
  return { data: known(events), calendars: undefined, status: undefined, savedAt };
}

async function keep(userId: string, events: Event[], savedAt?: number): Promise<Snapshot> {
  const snapshot = new Snapshot(API, userId);
  snapshot.save(() => remembered(events, savedAt));
  await snapshot.flush();
  return snapshot;
}

beforeEach(() => vi.stubGlobal('indexedDB', new IDBFactory()));

describe('a snapshot', () => {
  it('is restored at the next visit', async () => {
    await keep('alice', [anEvent({ id: 'a' })]);
    const again = await new Snapshot(API, 'alice').open(NOW + DAY);
    expect(again).toMatchObject(remembered([anEvent({ id: 'a' })]));
  });

  it('belongs to one user and one API', async () => {
    await keep('alice', [anEvent({ id: 'a' })]);
    expect(await new Snapshot('https://elsewhere.test', 'bob').open(NOW)).toBeNull();
    expect(await new Snapshot(API, 'alice').open(NOW)).not.toBeNull();
    expect(await new Snapshot(API, 'bob').open(NOW)).toBeNull();
    expect(await new Snapshot(API, 'alice').open(NOW)).toBeNull();
  });

  it('stays wiped, even with a pending save', async () => {
    const snapshot = await keep('alice', [anEvent({ id: 'a' })]);
    snapshot.save(() => remembered([anEvent({ id: 'b' })]));
    await snapshot.wipe();
    await snapshot.flush();
    snapshot.save(() => remembered([anEvent({ id: 'c' })]));
    await snapshot.flush();
    expect(await new Snapshot(API, 'alice').open(NOW)).toBeNull();
  });

  it('is ignored when it is old', async () => {
    await keep('alice', [], NOW - 31 * DAY);
    expect(await new Snapshot(API, 'alice').open(NOW)).toBeNull();
  });

  it('of an earlier version is dropped', async () => {
    const earlier = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
      row,
      key,
    ) {
      earlier.mockRestore();
      return this.put({ ...(row as object), version: 2 }, key);
    });
    await keep('alice', [anEvent({ id: 'a' })]);
    expect(await new Snapshot(API, 'alice').open(NOW)).toBeNull();
    await keep('alice', [anEvent({ id: 'b' })]);
    expect((await new Snapshot(API, 'alice').open(NOW))?.data.series.get('work')?.has('b')).toBe(true);
  });

  it('of all events is complete', async () => {
    const days = Array.from({ length: 30 }, (_, day) => anInstance(NOW + day * DAY, { eventId: 'daily' }));
    await keep('alice', days);
    const data = (await new Snapshot(API, 'alice').open(NOW))?.data;
    expect(data).toEqual(known(days));
    expect(data?.loaded).toEqual(new ModelServer(NOW).window);
  });

  it('is bounded, with a window that excludes the rest', async () => {
    const description = 'x'.repeat(8_000);
    const many = Array.from({ length: 600 }, (_, i) => {
      const start = NOW + ((i - 80) * DAY) / 12;
      return anEvent({ id: `event-${i}`, start: iso(start), end: iso(start + 60_000), description });
    });
    await keep('alice', many);
    const data = (await new Snapshot(API, 'alice').open(NOW))?.data;
    if (!data) throw new Error('no snapshot');
    const kept = [...eventsOf(data)];
    expect(kept.length).toBeGreaterThan(150);
    expect(kept.length).toBeLessThanOrEqual(250);
    expect(kept.every((event) => event.description === description && event.cutFields === undefined)).toBe(true);
    const ask = { days: 7, maxResults: 500, calendarIds: undefined, zone: 'UTC' };
    const ids = (data: LiveData) => upcoming(data, NOW, ask)?.events.map(({ id }) => id);
    expect(ids(data)).toEqual(ids(known(many)));
    expect(upcoming(data, NOW, { ...ask, days: 30 })).toBeNull();
    // It lacks events, so a request cannot name it.
    expect(data.loaded).toBeNull();
  });

  it('is written once for many changes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const snapshot = new Snapshot(API, 'alice');
    const remember = vi.fn(() => remembered([]));
    for (let i = 0; i < 20; i += 1) snapshot.save(remember);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(remember).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });
});
