import type { Event, EventType } from '../generated/types.js';
import { mergeDuplicates } from './duplicates.js';
import { daysWindow, inOrder, type Span, touching } from './occurrence.js';
import { eventsOf, type ShownData } from './reducer.js';
import { dateAt, DAY, dayEnd, dayStart } from './zone.js';

/** Near the window's edge the server may have left out an all-day event: zones are up to 26 hours apart. */
const ALL_DAY_SLACK = 26 * 3_600_000;

/** Whether the live data has every event that touches the span, in any zone. */
export function covers(data: ShownData, span: Span, calendarIds?: readonly string[]): boolean {
  const known = (id: string) => data.freshness.some(({ calendarId }) => calendarId === id);
  return isInside(data.window, span) && (calendarIds?.every(known) ?? true);
}

function isInside({ from, to }: Span, span: Span): boolean {
  return span.from >= from + ALL_DAY_SLACK && span.to <= to - ALL_DAY_SLACK;
}

/** Whether the server's next snapshot should cover the span: it reaches from eight days back to six weeks ahead. */
export function willCover(now: number, span: Span): boolean {
  const today = Math.floor(now / DAY) * DAY;
  return isInside({ from: today - 8 * DAY, to: today + 42 * DAY }, span);
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
export function eventsWithin(data: ShownData, span: Span, zone: string, filter: EventFilter = {}): Event[] {
  const events = [...eventsOf(data, filter.calendarIds, touching(span, zone))];
  return mergeDuplicates(inOrder(events.filter(isOfType(filter.eventTypes)), zone));
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
export function upcoming(data: ShownData, now: number, query: UpcomingQuery): Upcoming | null {
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
