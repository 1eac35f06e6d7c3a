/**
 * The browser's events converge to the server's, whatever happens in between.
 *
 * A model of the server changes and publishes messages. Messages are duplicated, delayed, reordered or lost; snapshots are
 * delayed or fail; the stream and the broker restart; automatic loads pause; the window advances. At the end everything in
 * flight arrives, and one more message, so that a loss is noticed.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { within } from '../src/core/reducer.js';
import { Bench, CALENDARS, NOW, occurrences } from './live-bench.js';
import { dataOf, DAY } from './model-server.js';

beforeEach(() => vi.useFakeTimers({ now: NOW }));
afterEach(() => vi.useRealTimers());

const change = fc.record({
  kind: fc.constant('change' as const),
  calendar: fc.constantFrom(...CALENDARS),
  series: fc.constantFrom('a', 'b', 'c'),
  days: fc.uniqueArray(fc.integer({ min: -10, max: 45 }), { maxLength: 4 }),
  silent: fc.boolean(),
});
const step = fc.oneof(
  { weight: 6, arbitrary: change },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), index: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), index: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('refetch' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('list' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('day' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), known: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), back: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('restore' as const, 'broker' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function take(bench: Bench, one: Step): Promise<void> {
  const { server } = bench;
  switch (one.kind) {
    case 'change': {
      const events = occurrences(server, one.calendar, one.series, one.days);
      if (!one.silent) {
        bench.publish(server.change(one.calendar, one.series, events));
        return;
      }
      server.write(one.calendar, one.series, events);
      bench.publish(server.message({ type: 'resync', calendarId: one.calendar }));
      return;
    }
    case 'deliver': {
      bench.deliver(one.index);
      return;
    }
    case 'repeat': {
      const again = bench.received[one.index];
      if (again) bench.store.receive(structuredClone(again.message), again.offset);
      return;
    }
    case 'lose':
      bench.wire.shift();
      return;
    case 'read':
      for (const loading of bench.loadings) loading.read = server.state(loading.input);
      return;
    case 'answer':
      bench.answerLoads();
      return;
    case 'fail':
      bench.loadings[0]?.fail();
      return;
    case 'refetch':
      void bench.store.load(false).catch(() => undefined);
      return;
    case 'wait':
      await vi.advanceTimersByTimeAsync(one.ms);
      return;
    case 'list': {
      bench.publish(server.message({ type: 'calendars.changed' }));
      return;
    }
    case 'day':
      server.today += DAY;
      return;
    case 'pause':
      bench.store.pause();
      return;
    case 'resume':
      bench.store.resume();
      return;
    case 'forget':
      server.known = one.known;
      return;
    case 'restore': {
      bench.publish(server.restore());
      return;
    }
    case 'restart':
    case 'broker':
      if (one.kind === 'restart') server.restart(one.back);
      else server.restartBroker();
      // Messages in flight are lost, and the browser subscribes again.
      bench.wire.length = 0;
      bench.received.length = 0;
      void bench.subscribe();
  }
}

/** The page shows data of an earlier visit, since which the server has sent some messages. */
function visitBefore({ server, store }: Bench, missed: number): void {
  const change = (series: string) => server.change('work', series, occurrences(server, 'work', series, [1]));
  change('a');
  store.hydrate(dataOf(server));
  for (let i = 0; i < missed; i += 1) change(['a', 'b', 'c'][i] ?? '');
}

describe('live data', () => {
  it('converges to the server, in whatever order things arrive', async () => {
    const start = fc.record({ isLoaded: fc.boolean(), visited: fc.option(fc.nat(3)) });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), random, start, async (steps, jitter, start) => {
        // A seed repeats a run.
        vi.setSystemTime(NOW);
        vi.spyOn(Math, 'random').mockReturnValue(jitter);
        const bench = new Bench();
        if (start.visited !== null) visitBefore(bench, start.visited);
        void bench.subscribe();
        await vi.advanceTimersByTimeAsync(0);
        if (start.isLoaded) bench.answerLoads();
        for (const one of steps) {
          await take(bench, one);
          await vi.advanceTimersByTimeAsync(0);
        }
        bench.store.resume();
        await bench.settle();
        if (steps.every(({ kind }) => kind !== 'lose')) bench.expectConverged();
        const last = occurrences(bench.server, 'work', 'last', [1]);
        bench.publish(bench.server.change('work', 'last', last));
        await bench.settle();
        bench.expectConverged();
        expect(bench.maxConcurrent).toBe(1);
        bench.store.close();
      }),
      { numRuns: 2_000 },
    );
  }, 120_000);

  async function started(): Promise<Bench> {
    const bench = new Bench();
    void bench.subscribe();
    await vi.advanceTimersByTimeAsync(0);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    return bench;
  }

  const publish = (bench: Bench, series: string) =>
    bench.publish(bench.server.change('work', series, occurrences(bench.server, 'work', series, [1])));

  it('applies a burst of messages as one change', async () => {
    const bench = await started();
    const before = bench.notified;
    for (let i = 0; i < 20; i += 1) publish(bench, `series-${i}`);
    bench.deliverAll();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.shown).toHaveLength(20);
    expect(bench.notified - before).toBe(1);
    expect(bench.loadings).toHaveLength(0);
  });

  it('closes a gap with one load', async () => {
    const bench = await started();
    publish(bench, 'a');
    bench.wire.length = 0;
    for (const series of ['b', 'c', 'd']) publish(bench, series);
    bench.deliverAll();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.loadings).toHaveLength(1);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.loadings).toHaveLength(0);
    expect(bench.shown).toEqual(bench.server.events);
  });

  it('keeps messages that arrive during a load', async () => {
    const bench = await started();
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    const read = bench.server.state({ live: false });
    for (const series of ['a', 'b']) publish(bench, series);
    bench.deliverAll();
    await vi.advanceTimersByTimeAsync(100);
    // The load does not delay them.
    expect(bench.shown).toEqual(bench.server.events);
    bench.loadings[0]?.answer(read);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.shown).toEqual(bench.server.events);
    expect(bench.loadings).toHaveLength(0);
  });

  it('retries a required load with backoff until it succeeds', async () => {
    const bench = await started();
    publish(bench, 'a');
    bench.wire.length = 0;
    publish(bench, 'b');
    bench.deliver();
    const waits: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      const since = Date.now();
      while (bench.loadings.length === 0) await vi.advanceTimersByTimeAsync(50);
      waits.push(Date.now() - since);
      bench.loadings[0]?.fail();
      await vi.advanceTimersByTimeAsync(0);
      expect(bench.store.state.get().error?.code).toBe('NETWORK');
    }
    expect(waits[0]).toBeLessThan(100);
    expect(waits[5]).toBeGreaterThan(7_000);
    while (bench.loadings.length === 0) await vi.advanceTimersByTimeAsync(50);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.store.state.get().error).toBeNull();
    expect(bench.shown).toEqual(bench.server.events);
  });

  it('retries a load that fails after a message announced changes', async () => {
    const bench = await started();
    bench.server.write('work', 'a', occurrences(bench.server, 'work', 'a', [1]));
    bench.publish(bench.server.message({ type: 'resync', calendarId: 'work' }));
    bench.deliver();
    bench.store.load(false).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    bench.loadings[0]?.fail();
    await vi.advanceTimersByTimeAsync(2_000);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.store.state.get().error).toBeNull();
    expect(bench.shown).toEqual(bench.server.events);
  });

  it('loads the next window after a failure and a pause', async () => {
    const bench = await started();
    bench.store.load(false).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(0);
    bench.store.pause();
    bench.store.resume();
    bench.loadings[0]?.fail();
    await vi.advanceTimersByTimeAsync(15 * 3_600_000 + 11 * 60_000);
    expect(bench.loadings).toHaveLength(1);
  });

  it('detects a restarted stream by the offset', async () => {
    const bench = await started();
    for (const series of ['a', 'b', 'c']) publish(bench, series);
    bench.deliverAll();
    await vi.advanceTimersByTimeAsync(100);
    const { offset } = bench.server;
    bench.server.restart();
    bench.server.offset = offset;
    publish(bench, 'd');
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.store.state.get().data?.streamEpoch).toBe('stream-2');
    expect(bench.shown).toEqual(bench.server.events);
  });

  it('applies no message of the stream before a restart', async () => {
    const bench = await started();
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    publish(bench, 'a');
    bench.deliver();
    // The answer arrives before the message is applied. Both streams have a message 1.
    bench.server.restart();
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(100);
    while (bench.answerLoads()) await vi.advanceTimersByTimeAsync(0);
    publish(bench, 'b');
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.shown).toEqual(bench.server.events);
    expect(bench.store.state.get().data?.seq).toBe(1);
  });

  it('detects a restarted stream during a load', async () => {
    const bench = await started();
    for (const series of ['a', 'b', 'c']) publish(bench, series);
    bench.deliverAll();
    await vi.advanceTimersByTimeAsync(100);
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    const read = bench.server.state({ live: false });
    const { offset } = bench.server;
    bench.server.restart();
    bench.server.offset = offset;
    publish(bench, 'd');
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    bench.loadings[0]?.answer(read);
    await vi.advanceTimersByTimeAsync(60_000);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.store.state.get().data?.streamEpoch).toBe('stream-2');
    expect(bench.shown).toEqual(bench.server.events);
  });

  it('loads the next window after midnight UTC', async () => {
    const bench = await started();
    bench.server.today += DAY;
    await vi.advanceTimersByTimeAsync(15 * 3_600_000 - 1_000);
    expect(bench.loadings).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(11 * 60_000);
    expect(bench.loadings).toHaveLength(1);
  });

  it('loads nothing while paused, then loads when due', async () => {
    const bench = await started();
    bench.store.pause();
    expect(vi.getTimerCount()).toBe(0);
    bench.store.resume();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.loadings).toHaveLength(0);

    // A message is missing.
    publish(bench, 'a');
    bench.wire.length = 0;
    publish(bench, 'b');
    bench.store.pause();
    bench.deliver();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
    bench.store.resume();
    await vi.advanceTimersByTimeAsync(100);
    bench.loadings[0]?.fail();
    await vi.advanceTimersByTimeAsync(0);
    bench.store.pause();
    expect(vi.getTimerCount()).toBe(0);
    bench.store.resume();
    await vi.advanceTimersByTimeAsync(2_000);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.shown).toEqual(bench.server.events);

    bench.store.pause();
    bench.server.today += DAY;
    await vi.advanceTimersByTimeAsync(DAY);
    expect(bench.loadings).toHaveLength(0);
    bench.store.resume();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.loadings).toHaveLength(1);
  });

  it('shows the last visit without messages until the server answers', async () => {
    const earlier = await started();
    publish(earlier, 'a');
    earlier.deliver();
    await vi.advanceTimersByTimeAsync(100);
    const remembered = earlier.store.state.get().data;
    const bench = new Bench();
    // Another installation.
    bench.server.restart();
    if (remembered) bench.store.hydrate(remembered);
    expect(bench.store.state.get()).toMatchObject({ source: 'snapshot', data: remembered });
    void bench.subscribe();
    await vi.advanceTimersByTimeAsync(0);
    bench.store.receive(bench.server.change('work', 'b', occurrences(bench.server, 'work', 'b', [1])));
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.shown.map(({ eventId }) => eventId)).toEqual(['a']);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.shown.map(({ eventId }) => eventId)).toEqual(['b']);
    expect(bench.store.state.get().source).toBe('server');
    // Ignored, because the server has answered.
    if (remembered) bench.store.hydrate(remembered);
    expect(bench.shown.map(({ eventId }) => eventId)).toEqual(['b']);
  });

  it('asks for changes since the last visit', async () => {
    const bench = new Bench();
    visitBefore(bench, 0);
    const held = bench.store.state.get().data;
    const [before] = bench.shown;
    void bench.subscribe();
    await vi.advanceTimersByTimeAsync(0);
    const { streamEpoch, window } = bench.server;
    expect(bench.loadings[0]?.input).toEqual({ live: true, held: { streamEpoch, seq: 1, window } });
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.store.state.get()).toMatchObject({ source: 'server', data: { series: held?.series } });
    expect(bench.shown[0]).toBe(before);
  });

  it('applies the messages that were missed since the last visit', async () => {
    const bench = new Bench();
    visitBefore(bench, 3);
    void bench.subscribe();
    await vi.advanceTimersByTimeAsync(0);
    const answer = bench.server.state(bench.loadings[0]?.input);
    expect(answer).toMatchObject({ snapshot: null, seq: 4 });
    expect(answer.messages).toHaveLength(3);
    bench.loadings[0]?.answer(answer);
    await vi.advanceTimersByTimeAsync(0);
    bench.expectConverged();
    expect(bench.loadings).toHaveLength(0);
  });

  it('loads all events when the held data has been cut', async () => {
    const bench = new Bench();
    const data = dataOf(bench.server);
    bench.store.hydrate(within(data, { ...data.window, to: NOW + DAY }));
    void bench.subscribe();
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.loadings[0]?.input).toEqual({ live: true });
  });

  it('loads all events after an answer that does not fit', async () => {
    const bench = await started();
    publish(bench, 'a');
    bench.wire.length = 0;
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    bench.loadings[0]?.answer({ ...bench.server.state(bench.loadings[0].input), messages: [] });
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.loadings[0]?.input).toEqual({ live: false });
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    bench.expectConverged();
  });

  it('closes a gap with messages, and loads after a resync', async () => {
    const bench = await started();
    publish(bench, 'a');
    bench.wire.length = 0;
    publish(bench, 'b');
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.loadings[0]?.input.held?.seq).toBe(0);
    bench.answerLoads();
    await vi.advanceTimersByTimeAsync(0);
    bench.expectConverged();
    bench.publish(bench.server.message({ type: 'resync', calendarId: 'work' }));
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.loadings[0]?.input).toEqual({ live: false });
    bench.loadings[0]?.fail();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(bench.loadings[0]?.input).toEqual({ live: false });
  });

  it('loads again after an older answer, and keeps its data', async () => {
    const bench = await started();
    const old = bench.server.state({ live: false });
    publish(bench, 'a');
    bench.deliver();
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    bench.loadings[0]?.answer(old);
    await vi.advanceTimersByTimeAsync(100);
    bench.expectConverged();
    expect(bench.loadings[0]?.input).toEqual({ live: false });
  });

  it('keeps the newer of a message and a slow answer', async () => {
    const bench = await started();
    void bench.store.load(false);
    await vi.advanceTimersByTimeAsync(0);
    const read = bench.server.state(bench.loadings[0]?.input);
    publish(bench, 'a');
    bench.deliver();
    await vi.advanceTimersByTimeAsync(100);
    bench.loadings[0]?.answer(read);
    await vi.advanceTimersByTimeAsync(100);
    bench.expectConverged();
    expect(bench.loadings).toHaveLength(0);
  });
});
