/**
 * Edits show at once, and the page converges to exactly the server's data: in whatever order responses and messages arrive,
 * and whether the server applies an edit, rejects it, or its response is lost.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Api } from '../src/core/api.js';
import type { Edit } from '../src/core/edit.js';
import { CalwireError } from '../src/core/error.js';
import { seriesOf } from '../src/core/occurrence.js';
import { overlaid } from '../src/core/overlay.js';
import { apply, eventsOf, type LiveData } from '../src/core/reducer.js';
import { procedures } from '../src/core/send-edit.js';
import { Store } from '../src/core/store.js';
import { Writes } from '../src/core/writes.js';
import type { Event, Message } from '../src/generated/types.js';
import { anEvent, anInstance, dataOf, DAY, iso, ModelServer } from './model-server.js';

const NOW = Date.parse('2026-11-24T09:00:00Z');

interface Request {
  key: string;
  input: { event?: Partial<Event>; patch?: Partial<Event>; eventId?: string; responseStatus?: string };
  respond: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A page, its server, and everything in flight between them. */
class Bench {
  readonly server = new ModelServer(NOW);
  readonly live: Store<LiveData>;
  readonly wire: Message[] = [];
  /** The keepalive requests. */
  readonly keepalives: unknown[] = [];
  readonly requests: Request[] = [];
  /** The results of applied requests, by key. */
  readonly done = new Map<string, unknown>();
  readonly writes: Writes;
  etag = 1;

  constructor() {
    for (const day of [0, 1, 2]) this.put(`single-${day}`, [at(`single-${day}`, day)]);
    const starts = [3, 4, 5, 6].map((day) => Date.parse(at('', day).start));
    this.put(
      'weekly',
      starts.map((start) => anInstance(start, { eventId: 'weekly' })),
    );
    this.wire.length = 0;
    this.live = new Store(dataOf(this.server));
    this.writes = new Writes({
      api: this.#api(),
      sendKeepalive: (procedure, input) => this.keepalives.push([procedure, input]),
      serverData: () => this.live.get(),
      onServerData: (callback) => this.live.subscribe(callback),
      knownSeries: (calendarId) => new Set(this.live.get().series.get(calendarId)?.keys()),
      reload: () => {
        this.live.set(dataOf(this.server));
        return Promise.resolve();
      },
      refetch: () => Promise.resolve(),
    });
  }

  put(series: string, events: Event[]): void {
    this.etag += 1;
    const version = `"${this.etag}"`;
    this.wire.push(
      this.server.change(
        'work',
        series,
        events.map((event) => ({ ...event, etag: version })),
      ),
    );
  }

  get shown(): Event[] {
    return inOrder([...eventsOf(overlaid(this.live.get(), this.writes.state.get().writes))]);
  }

  get stored(): Event[] {
    return inOrder([...this.server.calendars.values()].flatMap((calendar) => [...calendar.values()].flat()));
  }

  deliver(): void {
    const message = this.wire.shift();
    if (!message) return;
    const next = apply(this.live.get(), message);
    if (typeof next === 'object') this.live.set(next);
    this.writes.onMessages([message]);
  }

  /** The server applies a request. Its response arrives in another step. */
  apply(index: number): unknown {
    const { key, input } = this.requests[index % this.requests.length] ?? fail();
    const known = this.done.get(key);
    if (known) return known;
    const result = this.#change(key, input);
    this.done.set(key, result);
    return result;
  }

  #change(key: string, { event, patch, eventId = '', responseStatus }: Request['input']): unknown {
    const calendar = this.server.calendars.get('work') ?? fail();
    if (event) {
      this.put(`made-${key}`, [anEvent({ ...event, id: `made-${key}` })]);
      return { pending: false, merged: false, event: calendar.get(`made-${key}`)?.[0] };
    }
    const entry = [...calendar].find(([, events]) => events.some(({ id }) => id === eventId));
    if (!entry) throw new CalwireError('NOT_FOUND', 'gone', { reason: 'EVENT_DELETED' });
    const [series, events] = entry;
    if (!patch && !responseStatus) {
      this.put(
        series,
        events.filter(({ id }) => id !== eventId),
      );
      return { pending: false, deleted: true };
    }
    // A changed instance of a series becomes an event of its own.
    this.put(
      series,
      events.map((each) => (each.id === eventId ? { ...each, eventId, ...patch } : each)),
    );
    return { pending: false, merged: false, event: calendar.get(series)?.find(({ id }) => id === eventId) };
  }

  #api(): Api {
    const procedure = {
      mutate: ({ idempotencyKey, ...input }: { idempotencyKey: string } & Request['input']) =>
        new Promise((resolve, reject) => {
          const settle = (end: () => void) => {
            this.requests.splice(this.requests.indexOf(request), 1);
            end();
          };
          const request: Request = {
            key: idempotencyKey,
            input,
            respond: (value) => settle(() => resolve(structuredClone(value))),
            reject: (error) => settle(() => reject(error)),
          };
          this.requests.push(request);
        }),
    };
    const google = Object.fromEntries(Object.values(procedures).map((name) => [name, procedure]));
    return { calendar: { google } } as unknown as Api;
  }

  respond(index: number): void {
    const request = this.requests[index % this.requests.length];
    if (!request) return;
    try {
      request.respond(this.apply(index));
    } catch (error) {
      request.reject(error as Error);
    }
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      while (this.wire.length > 0) this.deliver();
      while (this.requests.length > 0) {
        this.respond(0);
        await vi.advanceTimersByTimeAsync(0);
      }
      await vi.advanceTimersByTimeAsync(3_100);
    }
  }
}

function fail(): never {
  throw new Error('not found');
}

function at(id: string, day: number): Event {
  const start = Math.floor(NOW / DAY) * DAY + day * DAY + 10 * 3_600_000;
  return anEvent({ id, start: iso(start), end: iso(start + 3_600_000) });
}

function inOrder(events: Event[]): Event[] {
  return events.sort((a, b) => Date.parse(a.start) - Date.parse(b.start) || (a.id < b.id ? -1 : 1));
}

beforeEach(() => vi.useFakeTimers({ now: NOW }));
afterEach(() => vi.useRealTimers());

const which = fc.nat(5);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('create' as const), day: fc.nat(9) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('rename' as const), which, title: fc.constantFrom('a', 'b') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('shift' as const), which, hours: fc.integer({ min: -5, max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), which, undo: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('elsewhere' as const), which }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('apply' as const), which }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('respond' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reject' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), which, after: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 9_000 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function take(bench: Bench, action: Step): Promise<void> {
  const { writes } = bench;
  const shown = bench.shown;
  const picked = 'which' in action ? shown[action.which % Math.max(1, shown.length)] : undefined;
  const request = 'which' in action ? bench.requests[action.which % Math.max(1, bench.requests.length)] : undefined;
  const begin = (edit: Edit) => void writes.begin(edit);
  switch (action.kind) {
    case 'create': {
      const { start, end } = at('', action.day);
      begin({
        kind: 'create',
        calendarId: 'work',
        patch: { title: `made ${shown.length}`, start, end, timeZone: 'UTC' },
      });
      break;
    }
    case 'rename':
      if (picked) begin({ kind: 'update', event: picked, patch: { title: action.title } });
      break;
    case 'shift': {
      if (!picked) break;
      const later = (time: string) => iso(Date.parse(time) + action.hours * 3_600_000);
      begin({ kind: 'update', event: picked, patch: { start: later(picked.start), end: later(picked.end) } });
      break;
    }
    case 'delete':
      if (!picked) break;
      begin({ kind: 'delete', event: picked });
      if (action.undo) writes.undo(writes.state.get().notices.at(-1)?.id ?? '');
      break;
    case 'elsewhere': {
      const event = bench.stored[action.which % Math.max(1, bench.stored.length)];
      if (!event) break;
      const series = bench.server.calendars.get('work')?.get(seriesOf(event)) ?? [];
      bench.put(
        seriesOf(event),
        series.map((each) => ({ ...each, location: `Room ${bench.etag}` })),
      );
      break;
    }
    case 'deliver':
      bench.deliver();
      break;
    case 'apply':
      if (request) {
        try {
          bench.apply(action.which);
        } catch {
          // The rejection arrives in another step.
        }
      }
      break;
    case 'respond':
      bench.respond(action.which);
      break;
    case 'reject':
      if (request && !bench.done.has(request.key))
        request.reject(new CalwireError('FORBIDDEN', 'no', { reason: 'NOT_ORGANIZER' }));
      break;
    case 'lose':
      if (!request) break;
      if (action.after) await take(bench, { kind: 'apply', which: action.which });
      request.reject(new TypeError('Failed to fetch'));
      break;
    case 'wait':
      await vi.advanceTimersByTimeAsync(action.ms);
      break;
  }
  await vi.advanceTimersByTimeAsync(0);
}

describe('the overlay', () => {
  it('converges to the server in any order of messages', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const bench = new Bench();
        for (const action of steps) {
          await take(bench, action);
          const ids = bench.shown.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
        }
        await bench.settle();
        expect(bench.writes.state.get().writes).toEqual([]);
        expect(bench.shown).toEqual(bench.stored);
      }),
      { numRuns: 150 },
    );
  });

  it('never shows a created event twice', async () => {
    for (const messageFirst of [true, false]) {
      const bench = new Bench();
      const before = bench.shown.length;
      const { start, end } = at('', 1);
      void bench.writes.begin({
        kind: 'create',
        calendarId: 'work',
        patch: { title: 'New', start, end, timeZone: 'UTC' },
      });
      const count = () => {
        expect(bench.shown.filter(({ title }) => title === 'New')).toHaveLength(1);
        expect(bench.shown).toHaveLength(before + 1);
      };
      count();
      bench.apply(0);
      const steps = [() => bench.deliver(), () => bench.respond(0)];
      for (const next of messageFirst ? steps : steps.reverse()) {
        next();
        count();
        await vi.advanceTimersByTimeAsync(5);
        count();
      }
      await bench.settle();
      count();
    }
  });

  it('treats a double click as one edit', async () => {
    const bench = new Bench();
    const { start, end } = at('', 1);
    const edit: Edit = { kind: 'create', calendarId: 'work', patch: { title: 'Once', start, end } };
    const [one, other] = [bench.writes.begin(edit), bench.writes.begin({ ...edit })];
    expect(other).toBe(one);
    expect(bench.requests).toHaveLength(1);
    void bench.writes.begin({ ...edit, patch: { ...edit.patch, title: 'Twice' } });
    expect(bench.requests).toHaveLength(2);
    await bench.settle();
    expect(bench.stored.filter(({ title }) => title === 'Once')).toHaveLength(1);
  });

  it('bases an edit on the result of the previous one', async () => {
    const bench = new Bench();
    const [event] = bench.shown;
    if (!event) return fail();
    void bench.writes.begin({ kind: 'update', event, patch: { title: 'one' } });
    void bench.writes.begin({ kind: 'update', event: { ...event, title: 'one' }, patch: { title: 'two' } });
    expect(bench.requests).toHaveLength(1);
    bench.respond(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.requests.map(({ input }) => (input as { baseEtag?: string }).baseEtag)).toEqual([`"${bench.etag}"`]);
    await bench.settle();
    expect(bench.stored.find(({ id }) => id === event.id)?.title).toBe('two');
  });

  it('does not base an edit on a merged version', async () => {
    const bench = new Bench();
    const [event] = bench.shown;
    if (!event) return fail();
    void bench.writes.begin({ kind: 'update', event, patch: { start: event.start, end: iso(NOW + 9 * 3_600_000) } });
    bench.put(event.id, [{ ...event, description: 'by someone else' }]);
    const result = bench.apply(0) as object;
    bench.requests[0]?.respond({ ...result, merged: true });
    await vi.advanceTimersByTimeAsync(0);
    // The form was opened before the merge, and shows another description.
    void bench.writes.begin({ kind: 'update', event, patch: { description: 'mine' } });
    expect(bench.requests.map(({ input }) => input)).toMatchObject([{ baseEtag: event.etag }]);
    await bench.settle();
  });

  it('asks before the page closes while an edit waits', async () => {
    const bench = new Bench();
    const [event] = bench.shown;
    if (!event) return fail();
    const asks = () => !dispatchEvent(new window.Event('beforeunload', { cancelable: true }));
    void bench.writes.begin({ kind: 'update', event, patch: { title: 'one' } });
    const first = bench.requests[0] ?? fail();
    bench.writes.leave();
    expect(bench.keepalives).toMatchObject([['calendar.google.updateEvent', { idempotencyKey: first.key }]]);
    first.respond({ pending: true, merged: false, event: null, intentId: 'i' });
    await vi.advanceTimersByTimeAsync(0);
    expect(asks()).toBe(false);
    const outcome = bench.writes.begin({ kind: 'respond', event, responseStatus: 'declined' });
    expect(asks()).toBe(true);
    expect(bench.requests).toEqual([]);
    bench.writes.leave();
    expect(bench.keepalives.slice(1)).toMatchObject([
      ['calendar.google.respondToEvent', { eventId: event.id, responseStatus: 'declined' }],
    ]);
    // The user stayed on the page.
    await bench.settle();
    expect((await outcome).status).toBe('done');
    expect(asks()).toBe(false);
  });

  it('edits a series in a zone unknown to the browser', async () => {
    const bench = new Bench();
    const there = bench.stored.filter(({ eventId }) => eventId === 'weekly');
    bench.put(
      'weekly',
      there.map((event) => ({ ...event, timeZone: 'America/Coyhaique_2030' })),
    );
    bench.deliver();
    const [event] = bench.shown.filter(({ eventId }) => eventId === 'weekly');
    if (!event) return fail();
    const later = (time: string) => iso(Date.parse(time) + 3_600_000);
    const patch = { start: later(event.start), end: later(event.end) };
    void bench.writes.begin({ kind: 'update', event, patch, scope: 'all' });
    const starts = bench.shown.filter(({ eventId }) => eventId === 'weekly').map(({ start }) => Date.parse(start));
    expect(starts).toEqual(there.map(({ start }) => Date.parse(start) + 3_600_000));
    await bench.settle();
  });

  it('sends a deletion once it cannot be undone', async () => {
    const bench = new Bench();
    const [first, second] = bench.shown;
    if (!first || !second) return fail();
    const undone = bench.writes.begin({ kind: 'delete', event: first });
    expect(bench.shown).not.toContainEqual(first);
    await vi.advanceTimersByTimeAsync(5_000);
    bench.writes.undo(bench.writes.state.get().notices[0]?.id ?? '');
    expect(await undone).toEqual({ status: 'undone' });
    expect(bench.shown).toContainEqual(first);
    void bench.writes.begin({ kind: 'delete', event: second });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.requests.map(({ input }) => input.eventId)).toEqual([second.id]);
    await bench.settle();
  });

  it('reverts a rejected edit, with a notice of the reason', async () => {
    const bench = new Bench();
    const before = bench.shown;
    const [event] = before;
    if (!event) return fail();
    const outcome = bench.writes.begin({ kind: 'update', event, patch: { title: 'Not mine' } });
    expect(bench.shown[0]?.title).toBe('Not mine');
    bench.requests[0]?.reject(
      new CalwireError('FORBIDDEN', 'Only the organizer can change this', { reason: 'NOT_ORGANIZER' }),
    );
    expect(await outcome).toMatchObject({
      status: 'rejected',
      error: { message: 'Only the organizer can change this' },
    });
    expect(bench.shown).toEqual(before);
    expect(bench.writes.state.get().notices).toMatchObject([{ kind: 'rejected', error: { reason: 'NOT_ORGANIZER' } }]);
  });

  it('repeats the same request after a lost response', async () => {
    const bench = new Bench();
    const { start, end } = at('', 1);
    const outcome = bench.writes.begin({ kind: 'create', calendarId: 'work', patch: { title: 'Lost', start, end } });
    const keys = new Set<string>();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      keys.add(bench.requests[0]?.key ?? '');
      bench.apply(0);
      bench.requests[0]?.reject(new TypeError('Failed to fetch'));
      await vi.advanceTimersByTimeAsync(4_000);
    }
    const unknown = await outcome;
    expect(unknown.status).toBe('unknown');
    if (unknown.status !== 'unknown') return;
    const again = bench.writes.retry(unknown.id);
    keys.add(bench.requests[0]?.key ?? '');
    bench.respond(0);
    expect((await again).status).toBe('done');
    expect(keys.size).toBe(1);
    await bench.settle();
    expect(bench.stored.filter(({ title }) => title === 'Lost')).toHaveLength(1);
  });

  it('keeps a pending edit until its outcome is announced', async () => {
    const bench = new Bench();
    const [event] = bench.shown;
    if (!event) return fail();
    const outcome = bench.writes.begin({ kind: 'update', event, patch: { title: 'Later' } });
    const { key } = bench.requests[0] ?? fail();
    bench.requests[0]?.respond({ pending: true, merged: false, event: null, intentId: 'i' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(bench.writes.state.get().writes).toMatchObject([{ phase: 'pending' }]);
    expect(bench.shown[0]?.title).toBe('Later');
    bench.wire.push(
      bench.server.message({
        type: 'write.resolved',
        idempotencyKey: key,
        intentId: 'i',
        state: 'failed',
        reason: 'NOT_ORGANIZER',
      }),
    );
    bench.deliver();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.requests[0]?.key).toBe(key);
    bench.requests[0]?.reject(new CalwireError('FORBIDDEN', 'no', { reason: 'FORBIDDEN_BY_GOOGLE' }));
    const pending = await outcome;
    expect(pending.status === 'pending' && (await pending.end).status).toBe('rejected');
    expect(bench.shown).toEqual(bench.stored);
  });
});
