import { intlZone, isZone, localZone } from '../../core/zone.js';
import { addDays, daysBetween, type DayString, utcOf } from './dates.js';

/** The fields of an event that determine when it takes place. */
export interface Timed {
  /** RFC 3339, or a date when `allDay`. */
  start: string;
  /** As `start`. The end of an all-day event is exclusive. */
  end: string;
  allDay: boolean;
  timeZone?: string | null;
}

export interface DaySpan {
  first: DayString;
  /** Inclusive. */
  last: DayString;
}

export type Countdown =
  { state: 'ahead'; minutes: number } | { state: 'running'; minutesLeft: number } | { state: 'over' };

const MINUTE_MS = 60_000;

/** Formats dates and times for a locale and a time zone. */
export interface Formats {
  readonly locale: string | undefined;
  readonly timeZone: string;
  /** The local day of an instant. */
  readonly dayOf: (instant: Date | string) => DayString;
  /** The local hour of an instant, 0 to 23. */
  readonly hourOf: (instant: Date | string) => number;
  /** "9:30 AM", of an instant. */
  readonly time: (instant: Date | string, timeZone?: string) => string;
  /** "Today", "Tomorrow", "Thursday, November 26", with the year when it is another one. */
  readonly day: (day: DayString, today: DayString) => string;
  /** "Thu, Nov 26" */
  readonly shortDay: (day: DayString) => string;
  /** "Today", or "Nov 26 – 28" for several days; of a timed event, its first day. */
  readonly daysOf: (event: Timed, today: DayString) => string;
  /** "9:30 – 10:00 AM", with the days if it ends on another day. Null for an all-day event. */
  readonly times: (event: Timed) => string | null;
  /** The same in the event's own zone, if the local time differs there. */
  readonly timesThere: (event: Timed) => { times: string; zone: string } | null;
  /** "9:30 AM" if today, else with the day. */
  readonly moment: (instant: string, now: Date) => string;
  /** "November 2026" */
  readonly month: (day: DayString) => string;
  /** "November 23 – 29, 2026", or "Nov 23 – 29, 2026" */
  readonly span: (first: DayString, last: DayString, month?: 'long' | 'short') => string;
  /** "in 3 days", or "tomorrow" */
  readonly inDays: (days: number) => string;
}

const cache = new Map<string, Formats>();

export function formatsOf(locale?: string, timeZone: string = localZone()): Formats {
  const key = `${locale ?? ''} ${timeZone}`;
  let formats = cache.get(key);
  if (!formats) {
    formats = createFormats(locale, timeZone);
    cache.set(key, formats);
  }
  return formats;
}

function createFormats(locale: string | undefined, timeZone: string): Formats {
  const here = intlZone(timeZone);
  const formatters = new Map<string, Intl.DateTimeFormat>();
  /** Cached: creating a formatter takes a hundred times as long as using it. */
  const formatter = (options: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat => {
    const key = JSON.stringify([options, zone]);
    let cached = formatters.get(key);
    if (!cached) {
      cached = new Intl.DateTimeFormat(locale, { ...options, timeZone: intlZone(zone) });
      formatters.set(key, cached);
    }
    return cached;
  };
  const dated = (options: Intl.DateTimeFormatOptions) => formatter(options, 'UTC');
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const hour = new Intl.DateTimeFormat('en-US', { timeZone: here, hour: '2-digit', hourCycle: 'h23' });
  const isoDay = new Intl.DateTimeFormat('en-US', {
    timeZone: here,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  const SHORT_DAY: Intl.DateTimeFormatOptions = { weekday: 'short', month: 'short', day: 'numeric' };
  const TIME: Intl.DateTimeFormatOptions = { timeStyle: 'short' };
  const MOMENT: Intl.DateTimeFormatOptions = { ...SHORT_DAY, hour: 'numeric', minute: '2-digit' };

  const dayOf = (instant: Date | string): DayString => {
    const parts = Object.fromEntries(isoDay.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]));
    return `${(parts['year'] ?? '').padStart(4, '0')}-${parts['month'] ?? ''}-${parts['day'] ?? ''}`;
  };

  const time = (instant: Date | string, zone = timeZone) => formatter(TIME, zone).format(new Date(instant));

  const day = (of: DayString, today: DayString): string => {
    const ahead = daysBetween(today, of);
    if (Math.abs(ahead) <= 1) return capitalized(relative.format(ahead, 'day'), locale);
    const withYear = of.slice(0, 4) !== today.slice(0, 4);
    return dated({ weekday: 'long', month: 'long', day: 'numeric', ...(withYear && { year: 'numeric' }) }).format(
      utcOf(of),
    );
  };

  const shortDay = (of: DayString) => dated(SHORT_DAY).format(utcOf(of));

  const dayOfEvent = (event: Timed): DayString => (event.allDay ? event.start.slice(0, 10) : dayOf(event.start));

  const timesIn = (event: Timed, zone: string): string => {
    const [start, end] = [new Date(event.start), new Date(event.end)];
    if (event.start === event.end) return time(start, zone);
    const dayThere = formatter({ dateStyle: 'short' }, zone);
    const sameDay = dayThere.format(start) === dayThere.format(end);
    // Without dates for a short event over midnight: "10 PM – 1 AM".
    const overnight = end.getTime() - start.getTime() < 12 * 60 * MINUTE_MS;
    if (sameDay) return formatter(TIME, zone).formatRange(start, end);
    if (overnight) return `${time(start, zone)} – ${time(end, zone)}`;
    const full = formatter(MOMENT, zone);
    return `${full.format(start)} – ${full.format(end)}`;
  };

  return {
    locale,
    timeZone,
    dayOf,
    hourOf: (instant) => Number(hour.format(new Date(instant))),
    time,
    day,
    shortDay,
    daysOf: (event, today) => {
      const { first, last } = spanOf(event, dayOf);
      if (!event.allDay || first === last) return day(dayOfEvent(event), today);
      const withYear = first.slice(0, 4) !== today.slice(0, 4) || last.slice(0, 4) !== today.slice(0, 4);
      return dated({ ...SHORT_DAY, ...(withYear && { year: 'numeric' }) }).formatRange(utcOf(first), utcOf(last));
    },
    times: (event) => (event.allDay ? null : timesIn(event, timeZone)),
    timesThere: (event) => {
      const zone = event.timeZone;
      if (event.allDay || !zone || !isZone(zone) || sameClock(event, zone, timeZone)) return null;
      return { times: timesIn(event, zone), zone: cityOf(zone) };
    },
    moment: (instant, now) =>
      dayOf(instant) === dayOf(now) ? time(instant) : formatter(MOMENT, timeZone).format(new Date(instant)),
    month: (of) => capitalized(dated({ month: 'long', year: 'numeric' }).format(utcOf(of)), locale),
    span: (first, last, month = 'long') =>
      dated({ day: 'numeric', month, year: 'numeric' }).formatRange(utcOf(first), utcOf(last)),
    inDays: (days) => relative.format(days, 'day'),
  };
}

function capitalized(text: string, locale: string | undefined): string {
  const first = String.fromCodePoint(text.codePointAt(0) ?? 32);
  return first.toLocaleUpperCase(locale) + text.slice(first.length);
}

/** Whether both zones have the same local time at the event's start and end. */
function sameClock(event: Timed, one: string, other: string): boolean {
  const clock = (zone: string) => {
    const format = new Intl.DateTimeFormat('en', { timeZone: intlZone(zone), dateStyle: 'short', timeStyle: 'short' });
    return format.format(new Date(event.start)) + format.format(new Date(event.end));
  };
  return one === other || clock(one) === clock(other);
}

/** "Los Angeles" for `America/Los_Angeles`. */
function cityOf(zone: string): string {
  return (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ');
}

/** The days that an event touches. `dayOf` is the viewer's local day of an instant. */
export function spanOf(event: Timed, dayOf: (instant: string | Date) => DayString): DaySpan {
  if (event.allDay) return allDaySpan(event);
  const first = dayOf(event.start);
  const [start, end] = [new Date(event.start).getTime(), new Date(event.end).getTime()];
  // An event that ends at midnight is not on the next day.
  return { first, last: end > start ? dayOf(new Date(end - 1)) : first };
}

function allDaySpan(event: Timed): DaySpan {
  const first = event.start.slice(0, 10);
  const last = addDays(event.end, -1);
  // Google lets a one-day event end on the day it starts.
  return { first, last: last < first ? first : last };
}

/** The time until a timed event starts or ends. All-day events have no countdown. */
export function countdownOf(event: Timed, now: Date): Countdown | null {
  if (event.allDay) return null;
  const start = new Date(event.start).getTime();
  const end = Math.max(new Date(event.end).getTime(), start);
  const at = now.getTime();
  if (at < start) return { state: 'ahead', minutes: Math.ceil((start - at) / MINUTE_MS) };
  // An event without length is running during its minute.
  if (at < end || (start === end && at < start + MINUTE_MS)) {
    return { state: 'running', minutesLeft: Math.ceil((end - at) / MINUTE_MS) };
  }
  return { state: 'over' };
}

/** Whether the event has ended. */
export function isOver(event: Timed, now: Date, today: DayString): boolean {
  return event.allDay ? allDaySpan(event).last < today : countdownOf(event, now)?.state === 'over';
}
