import type { CalendarEvent } from '../../index.js';
import { countdownOf, daysBetween, type DayString, entryOf, plainLine, shorten, spanOf } from '../format/index.js';
import type { Moment, Words } from './base.js';
import type { Labels } from './labels.js';

/** More than a list or a grid has room for. */
const TITLE_LENGTH = 300;

export function fullTitle(event: CalendarEvent, labels: Labels): string {
  return plainLine(event.title) || (isHidden(event) ? labels.busy : labels.untitled);
}

/** Google sends only the time of an event that the user may not see, not even the organizer. */
function isHidden({ title, organizer, transparency }: CalendarEvent): boolean {
  return title === '' && organizer === null && transparency !== 'transparent';
}

export function titleOf(event: CalendarEvent, labels: Labels): string {
  return shorten(fullTitle(event, labels), TITLE_LENGTH);
}

/** Whether only those with access to the calendar's details see more than its time. */
export function isPrivate({ visibility }: CalendarEvent): boolean {
  return visibility === 'private' || visibility === 'confidential';
}

export function visibilityText(visibility: string | undefined, { visibilities }: Labels): string {
  return entryOf<string>(visibilities, visibility ?? 'default') ?? visibilities.private;
}

/** "9:30 – 10:00 AM" or "All day" */
export function timesOf(event: CalendarEvent, { formats, labels }: Words): string {
  return formats.times(event) ?? labels.allDay;
}

/** The same on one day of several: “until 10:00 AM” on the last day. */
export function timesOn(day: DayString, event: CalendarEvent, words: Words): string {
  const { formats, labels } = words;
  const { first, last } = spanOf(event, formats.dayOf);
  return !event.allDay && first < day && day === last ? labels.until(formats.time(event.end)) : timesOf(event, words);
}

function durationOf(minutes: number, labels: Labels): string {
  return labels.duration(Math.floor(minutes / 60), minutes % 60);
}

/** "in 12 min", "now", "in 3 days"; null for an ended or all-day event. */
export function countdownText(event: CalendarEvent, { now, today }: Moment, { formats, labels }: Words): string | null {
  const countdown = countdownOf(event, now);
  if (!countdown || countdown.state === 'over') return null;
  if (countdown.state === 'running') return labels.now;
  const days = daysBetween(today, formats.dayOf(event.start));
  return countdown.minutes < 24 * 60 ? labels.in(durationOf(countdown.minutes, labels)) : formats.inDays(days);
}

/** "ends in 20 min", while the event is running. */
export function endText(event: CalendarEvent, { now }: Moment, { labels }: Words): string | null {
  const countdown = countdownOf(event, now);
  if (countdown?.state !== 'running' || countdown.minutesLeft <= 0) return null;
  return labels.endsIn(durationOf(countdown.minutesLeft, labels));
}

export function isDeclined(event: CalendarEvent): boolean {
  return event.attendees.some((attendee) => attendee.self && attendee.responseStatus === 'declined');
}

/** The event's accessible name: title, day, times, place and state. */
export function nameOf(event: CalendarEvent, today: string, words: Words): string {
  const { formats, labels } = words;
  const place = plainLine(event.location);
  const state = isDeclined(event) ? labels.declined : event.status === 'tentative' ? labels.tentative : '';
  const visibility = isPrivate(event) && labels.private;
  const what = [titleOf(event, labels), formats.daysOf(event, today), timesOf(event, words), shorten(place, 100)];
  return [...what, state, visibility].filter(Boolean).join(', ');
}

/** "day 2 of 3", for a day of a longer event. */
export function dayInSpan(event: CalendarEvent, day: string, { formats, labels }: Words): string | null {
  const { first, last } = spanOf(event, formats.dayOf);
  const days = daysBetween(first, last) + 1;
  const overnight = !event.allDay && new Date(event.end).getTime() - new Date(event.start).getTime() < 86_400_000;
  return days < 2 || overnight ? null : labels.dayOf(daysBetween(first, day) + 1, days);
}
