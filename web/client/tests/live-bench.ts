/** A live store whose requests and messages a test answers, delays and loses. */
import { expect, vi } from 'vitest';

import { LiveStore } from '../src/core/live-store.js';
import { eventsOf } from '../src/core/reducer.js';
import type { Event, Message, RealtimeState, RealtimeStateInput } from '../src/generated/types.js';
import { anInstance, byStart, DAY, ModelServer } from './model-server.js';

export const NOW = Date.parse('2026-11-24T09:00:00Z');
export const CALENDARS = ['home', 'work'];

interface Loading {
  input: RealtimeStateInput;
  read: RealtimeState | undefined;
  answer: (state: RealtimeState) => void;
  fail: () => void;
}

export class Bench {
  readonly server = new ModelServer(NOW, CALENDARS);
  readonly loadings: Loading[] = [];
  /** Published but not received. */
  readonly wire: { message: Message; offset: number }[] = [];
  readonly received: { message: Message; offset: number }[] = [];
  maxConcurrent = 0;
  notified = 0;
  readonly store = new LiveStore({
    load: (input) => this.#load(input),
    onMessages: () => undefined,
    onCaughtUp: () => undefined,
  });

  constructor() {
    this.store.state.subscribe(() => (this.notified += 1));
  }

  #load(input: RealtimeStateInput): Promise<RealtimeState> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => () => {
        this.loadings.splice(this.loadings.indexOf(loading), 1);
        settle();
      };
      const loading: Loading = {
        input,
        read: undefined,
        answer: (state) => done(() => resolve(state))(),
        fail: done(() => reject(new TypeError('no network'))),
      };
      this.loadings.push(loading);
      this.maxConcurrent = Math.max(this.maxConcurrent, this.loadings.length);
    });
  }

  /** Subscribes as the SDK does: repeats if the broker does not know the position. */
  async subscribe(): Promise<void> {
    const state = await this.store.load(true).catch(() => null);
    if (state?.epoch !== this.server.brokerEpoch) await vi.advanceTimersByTimeAsync(1).then(() => this.subscribe());
  }

  publish(message: Message): void {
    this.wire.push({ message, offset: this.server.offset });
  }

  deliver(index = 0): void {
    // A subscription starts at the position of a snapshot.
    if (this.store.state.get().source !== 'server') return;
    const [sent] = this.wire.splice(index, 1);
    if (!sent) return;
    this.received.push(sent);
    this.store.receive(structuredClone(sent.message), sent.offset);
  }

  deliverAll(): void {
    for (let left = this.wire.length; left > 0; left -= 1) this.deliver();
  }

  answerLoads(): boolean {
    const loading = this.loadings[0];
    if (!loading) return false;
    loading.answer(loading.read ?? this.server.state(loading.input));
    return true;
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 50; round += 1) {
      while (this.answerLoads()) await vi.advanceTimersByTimeAsync(0);
      this.deliverAll();
      await vi.advanceTimersByTimeAsync(31_000);
    }
  }

  get shown(): Event[] {
    const { data } = this.store.state.get();
    if (!data) throw new Error('no data is loaded');
    const to = Date.parse(this.server.window.to);
    const from = Date.parse(this.server.window.from);
    // The browser's window may be a day behind. Later events are loaded when it advances.
    return [...eventsOf(data)]
      .filter(({ start, end }) => Date.parse(end) > from && Date.parse(start) < Math.min(to, data.window.to))
      .sort(byStart);
  }

  get expected(): Event[] {
    const { data } = this.store.state.get();
    return this.server.events.filter(({ start }) => Date.parse(start) < (data?.window.to ?? 0));
  }

  expectConverged(): void {
    expect(this.shown).toEqual(this.expected);
    const { seq, streamEpoch, freshness } = this.server;
    expect(this.store.state.get().data).toMatchObject({ seq, streamEpoch, freshness });
  }
}

let versions = 0;

/** The occurrences of a series on these days from the server's today, each with a new etag. */
export function occurrences(server: ModelServer, calendarId: string, series: string, days: number[]): Event[] {
  versions += 1;
  return days.map((day) =>
    anInstance(server.today + day * DAY + 10 * 3_600_000, { eventId: series, calendarId, etag: `"${versions}"` }),
  );
}
