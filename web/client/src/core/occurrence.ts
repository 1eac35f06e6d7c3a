import type { Event, Freshness, Mode } from '../generated/types.js';
import { addDays, dateAt, dayEnd, dayStart } from './zone.js';

/** A span of time in milliseconds since 1970, `from` inclusive, `to` exclusive. */
export interface Span {
  from: number;
  to: number;
}

/** The series an instance belongs to: the master's id, or a single event's own. */
export function seriesOf(event: Event): string {
  return event.recurringEventId ?? event.eventId;
}

/** From now to the end of the `days`th local day after today. A day that the zone skips is not counted. */
export function daysWindow(now: number, days: number, zone: string): Span {
  let date = dateAt(zone, now);
  for (let left = days; left > 0;) {
    date = addDays(date, 1);
    if (dayStart(zone, date) < dayEnd(zone, date)) left -= 1;
  }
  return { from: now, to: dayEnd(zone, date) };
}

/** Decides whether an event has a moment within a span, for a viewer in a zone. */
export function touching(span: Span, zone: string): (event: Event) => boolean {
  const firstDay = dateAt(zone, span.from);
  // The end is exclusive: at midnight, the day that begins then is not asked for.
  const lastDay = dateAt(zone, Math.max(span.to - 1, span.from));
  return (event) => {
    // Dates are compared with dates: an all-day event belongs to no zone.
    if (event.allDay) return event.start <= lastDay && event.end > firstDay;
    const start = Date.parse(event.start);
    return start < span.to && (start >= span.from || Date.parse(event.end) > span.from);
  };
}

/** In order of their start, all-day events before others that begin at the same time. */
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

/** How current an answer is as a whole: as its least current calendar. */
export function overall(calendars: readonly Freshness[], connected: boolean): { asOf: string | null; mode: Mode } {
  // Without a calendar, either the list is still to come, or nothing will.
  let mode: Mode | undefined;
  let asOf: string | null | undefined;
  for (const calendar of calendars) {
    if (mode === undefined || WORSE[calendar.mode] > WORSE[mode]) mode = calendar.mode;
    if (asOf === undefined || older(calendar.asOf, asOf)) asOf = calendar.asOf;
  }
  return { asOf: asOf ?? null, mode: mode ?? (connected ? 'stale' : 'paused') };
}

/** Whether `a` is further back than `b`; never is further back than any time. */
export function older(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === null && b !== null;
  return Date.parse(a) < Date.parse(b);
}
