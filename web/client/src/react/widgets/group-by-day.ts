import type { CalendarEvent } from '../../index.js';
import { addDays, type DayString, type Formats, isOver, spanOf } from '../format/index.js';
import type { Moment } from './base.js';

export interface Day {
  day: DayString;
  /** Those that take the whole day come first, then by time. */
  events: CalendarEvent[];
}

/** The events of each day from `first` to `last` that has any. What takes several days is on each of them. */
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

/** What an agenda shows: nothing that is over, cancelled, or a mere place of work. */
export function upcoming(events: readonly CalendarEvent[], { now, today }: Moment): CalendarEvent[] {
  return events.filter(
    (event) => event.status !== 'cancelled' && event.eventType !== 'workingLocation' && !isOver(event, now, today),
  );
}

/** An event as it is now, while its details are open; as it was, when it went. */
export function latestOf(event: CalendarEvent, events: readonly CalendarEvent[]): CalendarEvent {
  return events.find(({ id, calendarId }) => id === event.id && calendarId === event.calendarId) ?? event;
}
