import type { Event, Freshness, Mode } from '../generated/types.js';
import type { Times } from './normal-form.js';
import { addDays, dateAt, dayEnd, dayStart } from './zone.js';

/** A span of time in milliseconds since 1970, `from` inclusive, `to` exclusive. */
export interface Span {
  from: number;
  to: number;
}

/** The id of the event's series: the master's, or a single event's own. */
export function seriesOf(event: Event): string {
  return event.recurringEventId ?? event.eventId;
}

/** From now to the end of the `days`th local day after today. A day that the zone skips does not count. */
export function daysWindow(now: number, days: number, zone: string): Span {
  let date = dateAt(zone, now);
  for (let left = days; left > 0;) {
    date = addDays(date, 1);
    if (dayStart(zone, date) < dayEnd(zone, date)) left -= 1;
  }
  return { from: now, to: dayEnd(zone, date) };
}

/** A predicate: whether an event overlaps a span, for a viewer in a zone. */
export function touching(span: Span, zone: string): (event: Times) => boolean {
  const firstDay = dateAt(zone, span.from);
  // The end is exclusive: a span that ends at midnight does not include the next day.
  const lastDay = dateAt(zone, Math.max(span.to - 1, span.from));
  return (event) => {
    // An all-day event has no zone, so dates are compared with dates.
    if (event.allDay) return event.start <= lastDay && event.end > firstDay;
    const start = Date.parse(event.start);
    return start < span.to && (start >= span.from || Date.parse(event.end) > span.from);
  };
}

/** Sorted by start, all-day events before others that start at the same time. */
export function inOrder(events: Iterable<Event>, zone: string): Event[] {
  const keyed = Array.from(events, (event) => ({
    event,
    start: event.allDay ? dayStart(zone, event.start) : Date.parse(event.start),
  }));
  keyed.sort(
    (a, b) =>
      a.start - b.start ||
      Number(b.event.allDay) - Number(a.event.allDay) ||
      compare(a.event.id, b.event.id) ||
      compare(a.event.calendarId, b.event.calendarId),
  );
  return keyed.map(({ event }) => event);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

const WORSE: Record<Mode, number> = { push: 0, polling: 1, stale: 2, paused: 3 };

/** The freshness of the least current calendar. */
export function overall(calendars: readonly Freshness[], connected: boolean): { asOf: string | null; mode: Mode } {
  // Without a calendar, either the list has not been loaded yet, or there is no account.
  let mode: Mode | undefined;
  let asOf: string | null | undefined;
  for (const calendar of calendars) {
    if (mode === undefined || WORSE[calendar.mode] > WORSE[mode]) mode = calendar.mode;
    if (asOf === undefined || older(calendar.asOf, asOf)) asOf = calendar.asOf;
  }
  return { asOf: asOf ?? null, mode: mode ?? (connected ? 'stale' : 'paused') };
}

/** The calendars, each as the others have it unless that is older. */
export function refreshed(calendars: readonly Freshness[], others: readonly Freshness[]): readonly Freshness[] {
  const isNewer = (mine: Freshness) => (one: Freshness) =>
    one.calendarId === mine.calendarId && !older(one.asOf, mine.asOf);
  return calendars.map((mine) => others.find(isNewer(mine)) ?? mine);
}

/** Whether `a` is before `b`. Null, which means never, is before any time. */
function older(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === null && b !== null;
  return Date.parse(a) < Date.parse(b);
}
