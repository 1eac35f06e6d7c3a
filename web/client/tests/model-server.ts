/** A minimal model of the server's data of one user. It creates a message for each change. */
import type { Event, Freshness, Message, RealtimeState } from '../src/generated/types.js';

export const DAY = 86_400_000;

export function anEvent(from: Partial<Event> & Pick<Event, 'id'>): Event {
  return {
    title: from.id,
    start: '2026-11-24T10:00:00Z',
    end: '2026-11-24T11:00:00Z',
    allDay: false,
    timeZone: 'UTC',
    description: null,
    location: null,
    htmlLink: null,
    calendarId: 'work',
    eventId: from.id,
    recurringEventId: null,
    status: 'confirmed',
    eventType: 'default',
    transparency: 'opaque',
    colorId: null,
    attendees: [],
    organizer: null,
    conferenceUrl: null,
    canEdit: [],
    etag: '"1"',
    iCalUID: null,
    recurrence: [],
    reminders: null,
    ...from,
  };
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
  readonly #asOf = new Map<string, number>();
  readonly #since: number;
  #clock = 0;

  constructor(now: number, calendars: string[] = ['work']) {
    this.today = Math.floor(now / DAY) * DAY;
    this.#since = now;
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
      .sort((a, b) => Date.parse(a.start) - Date.parse(b.start) || (a.id < b.id ? -1 : 1));
  }

  get freshness(): Freshness[] {
    return [...this.calendars.keys()].map((calendarId) => ({
      calendarId,
      asOf: this.#asOfOf(calendarId),
      mode: 'push',
    }));
  }

  state(live: boolean): RealtimeState {
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
      events: structuredClone(this.events),
      truncated: false,
    };
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
      upserted: inWindow.length > 0 ? [{ eventId: seriesId, occurrences: structuredClone(inWindow) }] : [],
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
    return { v: 1, seq: this.seq, ...change };
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
  }

  #asOfOf(calendarId: string): string {
    return iso(this.#since + (this.#asOf.get(calendarId) ?? 0));
  }

  #inWindow(event: Event): boolean {
    return Date.parse(event.start) < this.today + 42 * DAY && Date.parse(event.end) > this.today - 8 * DAY;
  }
}

type Change = Message extends infer M ? (M extends { v: number; seq: number } ? Omit<M, 'v' | 'seq'> : never) : never;

export function iso(time: number): string {
  return new Date(time).toISOString();
}
