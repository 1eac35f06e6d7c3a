import type { CalendarEvent } from '../../index.js';
import { countdownOf, type Formats, isOver, spanOf } from '../format/index.js';
import type { Moment, Words } from './base.js';
import { isDeclined } from './event-text.js';

/** From this time before its start, an event replaces a running one. */
const SOON_MINUTES = 10;

export interface Next {
  event: CalendarEvent;
  /** How many others are left today. */
  moreToday: number;
}

/**
 * The event to show as next: one that starts within minutes, else a running one, else the next one today, else today's
 * all-day event, else the first event of a later day.
 */
export function pickNext(events: readonly CalendarEvent[], moment: Moment, { formats }: Words): Next | null {
  const left = events.filter((event) => isOfInterest(event) && !isOver(event, moment.now, moment.today));
  const isToday = (event: CalendarEvent) => spanOf(event, formats.dayOf).first <= moment.today;
  const today = left.filter(isToday);
  const timed = left.filter((event) => !event.allDay).sort((one, other) => startOf(one) - startOf(other));
  const upcoming = timed.find((event) => !isRunning(event, moment));
  const running = timed.filter((event) => isRunning(event, moment)).at(-1);
  const event =
    (upcoming && startsSoon(upcoming, moment) ? upcoming : running) ??
    (upcoming && isToday(upcoming) ? upcoming : undefined) ??
    today.find((candidate) => candidate.allDay) ??
    firstOfLater(left, formats);
  return event ? { event, moreToday: today.filter((other) => other !== event).length } : null;
}

/** Working locations and declined events are not appointments. */
function isOfInterest(event: CalendarEvent): boolean {
  return event.status !== 'cancelled' && event.eventType !== 'workingLocation' && !isDeclined(event);
}

function isRunning(event: CalendarEvent, { now }: Moment): boolean {
  return countdownOf(event, now)?.state === 'running';
}

function startsSoon(event: CalendarEvent, { now }: Moment): boolean {
  const countdown = countdownOf(event, now);
  return countdown?.state === 'ahead' && countdown.minutes <= SOON_MINUTES;
}

function startOf(event: CalendarEvent): number {
  return new Date(event.start).getTime();
}

/** The first timed event of the first day with events, else its first all-day event. */
function firstOfLater(events: readonly CalendarEvent[], { dayOf }: Formats): CalendarEvent | undefined {
  const key = (event: CalendarEvent) => `${spanOf(event, dayOf).first} ${event.allDay ? '1' : '0'}`;
  const order = (one: CalendarEvent, other: CalendarEvent) =>
    key(one).localeCompare(key(other)) || startOf(one) - startOf(other);
  return [...events].sort(order)[0];
}
