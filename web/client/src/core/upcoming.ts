import type { Event } from '../generated/types.js';
import { mergeCopies } from './copies.js';
import { daysWindow, inOrder, type Span, touching } from './occurrence.js';
import { eventsOf, type LiveData } from './reducer.js';
import { dateAt, dayEnd, dayStart } from './zone.js';

/** At a window's edge the server may not have counted an all-day event in: zones are up to 26 hours apart. */
const ALL_DAY_SLACK = 26 * 3_600_000;

/** Whether everything that touches the span is known here, for every viewer. */
export function covers(data: LiveData, span: Span, calendarIds?: readonly string[]): boolean {
  const inside = span.from >= data.window.from + ALL_DAY_SLACK && span.to <= data.window.to - ALL_DAY_SLACK;
  const known = (id: string) => data.freshness.some(({ calendarId }) => calendarId === id);
  return inside && (calendarIds?.every(known) ?? true);
}

/** Whether the server's next snapshot can be expected to cover the span: it reaches from eight days back to six weeks ahead. */
export function willCover(now: number, span: Span): boolean {
  const day = 86_400_000;
  const today = Math.floor(now / day) * day;
  return span.from >= today - 8 * day + ALL_DAY_SLACK && span.to <= today + 42 * day - ALL_DAY_SLACK;
}

/** The known events that touch the span, in order, and each meeting once. */
export function eventsWithin(data: LiveData, span: Span, zone: string, calendarIds?: readonly string[]): Event[] {
  const touches = touching(span, zone);
  return mergeCopies(inOrder([...eventsOf(data, calendarIds)].filter(touches), zone));
}

export interface UpcomingQuery {
  days: number;
  maxResults: number;
  calendarIds: readonly string[] | undefined;
  zone: string;
}

export interface Upcoming {
  events: Event[];
  truncated: boolean;
  /** When this is no longer the answer, although nothing has changed: an event ends, or the day. */
  validUntil: number;
}

/** What is running and what comes, as the server would answer; null when it has to be asked. */
export function upcoming(data: LiveData, now: number, query: UpcomingQuery): Upcoming | null {
  const { days, maxResults, calendarIds, zone } = query;
  const span = daysWindow(now, days, zone);
  if (!covers(data, span, calendarIds)) return null;
  const found = eventsWithin(data, span, zone, calendarIds);
  const events = found.slice(0, maxResults);
  return { events, truncated: found.length > maxResults, validUntil: nextBoundary(events, now, zone) };
}

/** The next moment after now at which one of the events is over, or the local day is. */
export function nextBoundary(events: readonly Event[], now: number, zone: string): number {
  const ends = events.map((event) => (event.allDay ? dayStart(zone, event.end) : over(event)));
  const midnight = dayEnd(zone, dateAt(zone, now));
  return Math.min(midnight, ...ends.filter((end) => end > now));
}

/** An event of no length is there until the moment it begins is past. */
function over({ start, end }: Event): number {
  return Math.max(Date.parse(start) + 1, Date.parse(end));
}
