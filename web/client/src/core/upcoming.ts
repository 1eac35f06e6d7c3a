import type { Event, EventType } from '../generated/types.js';
import { mergeDuplicates } from './duplicates.js';
import { daysWindow, inOrder, type Span, touching } from './occurrence.js';
import { eventsOf, type LiveData } from './reducer.js';
import { dateAt, dayEnd, dayStart } from './zone.js';

/** Near the window's edge the server may have left out an all-day event: zones are up to 26 hours apart. */
const ALL_DAY_SLACK = 26 * 3_600_000;

/** Whether the live data has every event that touches the span, in any zone. */
export function covers(data: LiveData, span: Span, calendarIds?: readonly string[]): boolean {
  const inside = span.from >= data.window.from + ALL_DAY_SLACK && span.to <= data.window.to - ALL_DAY_SLACK;
  const known = (id: string) => data.freshness.some(({ calendarId }) => calendarId === id);
  return inside && (calendarIds?.every(known) ?? true);
}

/** Whether the server's next snapshot should cover the span: it reaches from eight days back to six weeks ahead. */
export function willCover(now: number, span: Span): boolean {
  const day = 86_400_000;
  const today = Math.floor(now / day) * day;
  return span.from >= today - 8 * day + ALL_DAY_SLACK && span.to <= today + 42 * day - ALL_DAY_SLACK;
}

/** Limits events. Undefined: the selected calendars, all types. */
export interface EventFilter {
  calendarIds?: readonly string[] | undefined;
  eventTypes?: readonly EventType[] | undefined;
}

export function isOfType(types: readonly EventType[] | undefined): (event: Event) => boolean {
  return ({ eventType }) => types?.includes(eventType as EventType) ?? true;
}

/** The loaded events that touch the span, in order, each meeting once. */
export function eventsWithin(data: LiveData, span: Span, zone: string, filter: EventFilter = {}): Event[] {
  const [touches, isAskedFor] = [touching(span, zone), isOfType(filter.eventTypes)];
  const events = [...eventsOf(data, filter.calendarIds)].filter((event) => touches(event) && isAskedFor(event));
  return mergeDuplicates(inOrder(events, zone));
}

export interface UpcomingQuery extends EventFilter {
  days: number;
  maxResults: number;
  zone: string;
}

export interface Upcoming {
  events: Event[];
  truncated: boolean;
  /** When the result changes by the clock alone: an event ends, or the day. */
  validUntil: number;
}

/** Running and upcoming events, as the server would list them; null when only the server can. */
export function upcoming(data: LiveData, now: number, query: UpcomingQuery): Upcoming | null {
  const { days, maxResults, zone } = query;
  const span = daysWindow(now, days, zone);
  if (!covers(data, span, query.calendarIds)) return null;
  const found = eventsWithin(data, span, zone, query);
  const events = found.slice(0, maxResults);
  return { events, truncated: found.length > maxResults, validUntil: nextBoundary(events, now, zone) };
}

/** The next moment after now at which one of the events or the local day ends. */
export function nextBoundary(events: readonly Event[], now: number, zone: string): number {
  const ends = events.map((event) => (event.allDay ? dayStart(zone, event.end) : endOf(event)));
  const midnight = dayEnd(zone, dateAt(zone, now));
  return Math.min(midnight, ...ends.filter((end) => end > now));
}

/** An event without length ends just after its start. */
function endOf({ start, end }: Event): number {
  return Math.max(Date.parse(start) + 1, Date.parse(end));
}
