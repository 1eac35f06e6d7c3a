import type { Event } from '../generated/types.js';
import type { Span } from './occurrence.js';
import { addDays, dayEnd, dayStart } from './zone.js';

/** Whether the event makes its calendar busy: not cancelled, not declined, and not shown as free. */
export function isBusy({ status, transparency, attendees }: Event): boolean {
  const declined = attendees.some(({ self, responseStatus }) => self && responseStatus === 'declined');
  return status !== 'cancelled' && transparency !== 'transparent' && !declined;
}

/**
 * The busy intervals within a span, for a viewer in a zone: in order, with overlapping and adjacent ones merged. An all-day
 * event takes the viewer's whole days, including days of 23 or 25 hours.
 */
export function busyIntervals(events: Iterable<Event>, span: Span, zone: string): Span[] {
  const busy: Span[] = [];
  for (const event of events) {
    if (!isBusy(event)) continue;
    const { from, to } = timeOf(event, zone);
    const within = { from: Math.max(from, span.from), to: Math.min(to, span.to) };
    if (within.from < within.to) busy.push(within);
  }
  return merged(busy.sort((a, b) => a.from - b.from));
}

function timeOf({ allDay, start, end }: Event, zone: string): Span {
  if (!allDay) return { from: Date.parse(start), to: Date.parse(end) };
  const last = addDays(end, -1);
  // Google lets a one-day event end on the day it starts.
  return { from: dayStart(zone, start), to: dayEnd(zone, last < start ? start : last) };
}

function merged(inOrder: readonly Span[]): Span[] {
  const spans: Span[] = [];
  for (const { from, to } of inOrder) {
    const before = spans.at(-1);
    if (before && from <= before.to) spans[spans.length - 1] = { from: before.from, to: Math.max(before.to, to) };
    else spans.push({ from, to });
  }
  return spans;
}
