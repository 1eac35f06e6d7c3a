/** A minimal model of the server's data of one user. It creates a message for each change. */
import { DEFAULTS } from '../src/core/normal-form.js';
import { fromState, type LiveData } from '../src/core/reducer.js';
import type { Event, Freshness, Message, RealtimeState, RealtimeStateInput } from '../src/generated/types.js';
import { seriesFrom, snapshotOf } from './normal-form.js';

export const DAY = 86_400_000;

export function anEvent(from: Partial<Event> & Pick<Event, 'id'>): Event {
  return {
    ...DEFAULTS,
    title: from.id,
    start: '2026-11-24T10:00:00Z',
    end: '2026-11-24T11:00:00Z',
    timeZone: 'UTC',
    calendarId: 'work',
    eventId: from.id,
    recurringEventId: null,
    etag: '"1"',
    ...from,
  };
}

/** An instance of a series at this time. */
export function anInstance(start: number, from: Partial<Event> & Pick<Event, 'eventId'>): Event {
  const id = `${from.eventId}_${iso(start).replace(/[-:]|\.\d+/g, '')}`;
  const times = { start: iso(start), end: iso(start + 3_600_000) };
  return anEvent({ id, title: from.eventId, recurringEventId: from.eventId, ...times, ...from });
}

export class ModelServer {
  seq = 0;
  streamEpoch = 'stream-1';
  brokerEpoch = 'broker-1';
  offset = 0;
  connected = true;
  readonly unselected = new Set<string>();
  /** The UTC day on which the window is based. */
  today: number;
  /** The occurrences of each series by calendar, inside and outside the window. */
  readonly calendars = new Map<string, Map<string, Event[]>>();
  /** The messages of the stream. The server knows as many of the last ones. */
  messages: Message[] = [];
  known = Infinity;
  readonly #asOf = new Map<string, number>();
  readonly #start: number;
  #clock = 0;

  constructor(now: number, calendars: string[] = ['work']) {
    this.today = Math.floor(now / DAY) * DAY;
    this.#start = now;
    for (const id of calendars) this.calendars.set(id, new Map());
  }

  get window(): { from: string; to: string } {
    return { from: iso(this.today - 8 * DAY), to: iso(this.today + 42 * DAY) };
  }

  /** All events within the window, sorted. */
  get events(): Event[] {
    return [...this.calendars.values()]
      .flatMap((calendar) => [...calendar.values()].flat())
      .filter((event) => this.#inWindow(event))
      .sort(byStart);
  }

  get freshness(): Freshness[] {
    return [...this.calendars.keys()].map((calendarId) => ({
      calendarId,
      asOf: this.#asOfOf(calendarId),
      mode: 'push',
    }));
  }

  state({ live = true, held }: RealtimeStateInput = {}): RealtimeState {
    const messages = held ? this.#since(held) : null;
    return {
      epoch: live ? this.brokerEpoch : null,
      offset: live ? this.offset : null,
      seq: this.seq,
      streamEpoch: this.streamEpoch,
      connected: this.connected,
      hasCalendarAccess: this.connected,
      asOf: null,
      mode: 'push',
      calendars: this.freshness,
      window: this.window,
      messages: structuredClone(messages ?? []),
      snapshot: messages ? null : { series: snapshotOf(this.events), truncated: false, until: null },
    };
  }

  /** The messages that the held data lacks. Null: it has to be replaced. */
  #since({ streamEpoch, seq, window }: NonNullable<RealtimeStateInput['held']>): Message[] | null {
    const isSameWindow = JSON.stringify(window) === JSON.stringify(this.window);
    if (streamEpoch !== this.streamEpoch || !isSameWindow || seq > this.seq) return null;
    const missing = this.messages.filter((message) => message.seq > seq);
    const hasContent = missing.every(({ type }) => type === 'events.changed' || type === 'write.resolved');
    return missing.length === this.seq - seq && missing.length <= this.known && hasContent ? missing : null;
  }

  /** Replaces the occurrences of a series; without any, the series is deleted. */
  change(calendarId: string, seriesId: string, occurrences: Event[]): Message {
    this.write(calendarId, seriesId, occurrences);
    const inWindow = occurrences.filter((event) => this.#inWindow(event));
    return this.message({
      type: 'events.changed',
      calendarId,
      asOf: this.#asOfOf(calendarId),
      window: this.window,
      upserted: seriesFrom(inWindow),
      deleted: inWindow.length > 0 ? [] : [seriesId],
    });
  }

  /** As `change`, without a message. */
  write(calendarId: string, seriesId: string, occurrences: Event[]): void {
    this.#clock += 1;
    this.#asOf.set(calendarId, this.#clock);
    const calendar = this.calendars.get(calendarId);
    if (occurrences.length > 0) calendar?.set(seriesId, occurrences);
    else calendar?.delete(seriesId);
  }

  message(change: Change): Message {
    this.seq += 1;
    this.offset += 1;
    const message = { v: 2, seq: this.seq, ...change };
    this.messages.push(message);
    return message;
  }

  /** Restarts the stream with a lower `seq`, at most by `back`. The broker loses its history too. */
  restart(back = Infinity): void {
    this.#nextStream();
    this.seq = Math.max(0, this.seq - back);
    this.restartBroker();
  }

  /** Restarts the stream as after a restored backup: with a higher `seq`, and a message. The broker does not restart. */
  restore(): Message {
    this.#nextStream();
    this.seq += 1_000_000_000;
    return this.message({ type: 'calendars.changed' });
  }

  restartBroker(): void {
    this.brokerEpoch = `broker-${Number(this.brokerEpoch.split('-')[1]) + 1}`;
    this.offset = 0;
  }

  #nextStream(): void {
    const generation = Number(this.streamEpoch.split('-')[1]) + 1;
    this.streamEpoch = `stream-${generation}`;
    this.messages = [];
  }

  #asOfOf(calendarId: string): string {
    return iso(this.#start + (this.#asOf.get(calendarId) ?? 0));
  }

  #inWindow(event: Event): boolean {
    return Date.parse(event.start) < this.today + 42 * DAY && Date.parse(event.end) > this.today - 8 * DAY;
  }
}

export function byStart(a: Event, b: Event): number {
  const name = ({ id, calendarId }: Event) => `${id} ${calendarId}`;
  return Date.parse(a.start) - Date.parse(b.start) || (name(a) < name(b) ? -1 : 1);
}

/** The data of a page that has loaded the server's state. */
export function dataOf(server: ModelServer): LiveData {
  const data = fromState(server.state(), null);
  if (!data) throw new Error('no snapshot');
  return data;
}

type Change = Message extends infer M ? (M extends { v: number; seq: number } ? Omit<M, 'v' | 'seq'> : never) : never;

export function iso(time: number): string {
  return new Date(time).toISOString();
}
