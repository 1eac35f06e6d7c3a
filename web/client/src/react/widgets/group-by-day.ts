import type { CalendarEvent } from '../../index.js';
import { addDays, type DayString, type Formats, isOver, spanOf } from '../format/index.js';
import type { Moment } from './base.js';

export interface Day {
  day: DayString;
  /** All-day events first, then by time. */
  events: CalendarEvent[];
}

/** The events of each day from `first` to `last` that has any. A longer event is on each of its days. */
export function groupByDay(
  events: readonly CalendarEvent[],
  formats: Formats,
  first: DayString,
  last: DayString,
): Day[] {
  const days = new Map<DayString, CalendarEvent[]>();
  for (const event of events) {
    const span = spanOf(event, formats.dayOf);
    const end = span.last < last ? span.last : last;
    for (let day = span.first > first ? span.first : first; day <= end; day = addDays(day, 1)) {
      const there = days.get(day);
      if (there) there.push(event);
      else days.set(day, [event]);
    }
  }
  return [...days]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, there]) => ({ day, events: there.sort(inOrder) }));
}

function inOrder(one: CalendarEvent, other: CalendarEvent): number {
  if (one.allDay !== other.allDay) return one.allDay ? -1 : 1;
  return new Date(one.start).getTime() - new Date(other.start).getTime() || one.title.localeCompare(other.title);
}

/** The events of an agenda: none that have ended or are cancelled, and no working locations. */
export function upcoming(events: readonly CalendarEvent[], { now, today }: Moment): CalendarEvent[] {
  return events.filter(
    (event) => event.status !== 'cancelled' && event.eventType !== 'workingLocation' && !isOver(event, now, today),
  );
}

/** The current version of an event, or the given one if it was deleted. */
export function latestOf(event: CalendarEvent, events: readonly CalendarEvent[]): CalendarEvent {
  return events.find(({ id, calendarId }) => id === event.id && calendarId === event.calendarId) ?? event;
}
