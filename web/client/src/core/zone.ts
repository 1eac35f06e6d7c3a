/**
 * Wall-clock time in a zone, where an hour may be missing, or come twice, and now and then a whole day is skipped.
 * Instants are milliseconds since 1970, dates are `2026-11-22`. The rules are those of the server.
 */

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(zone, format);
  }
  return format;
}

/** Zones are younger than some browsers. */
export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** The viewer's zone, as the browser has it. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What clocks in the zone show at an instant, written as the instant at which UTC's clocks show it. */
function wallClock(zone: string, instant: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const subsecond = ((instant % 1000) + 1000) % 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) + subsecond;
}

/** What clocks in the zone show at an instant: `2026-11-22T09:30`. */
export function wallAt(zone: string, instant: number): string {
  return new Date(wallClock(zone, instant)).toISOString().slice(0, 16);
}

/** The instant at which clocks in the zone show this. Of two the first; a time that is skipped is as much later. */
export function atWall(zone: string, wall: string): number {
  const at = Date.parse(`${wall}Z`);
  const [first] = instantsOf(zone, at);
  if (first !== undefined) return first;
  const before = at - DAY;
  return at - (wallClock(zone, before) - before);
}

/** An instant in RFC 3339, with the zone's offset. */
export function rfc3339(zone: string, instant: number): string {
  const wall = wallClock(zone, instant);
  const minutes = Math.round((wall - instant) / 60_000);
  const text = new Date(wall).toISOString().slice(0, 19);
  if (minutes === 0) return `${text}Z`;
  const [hour, minute] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${text}${minutes < 0 ? '-' : '+'}${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

/** The local date at an instant. */
export function dateAt(zone: string, instant: number): string {
  return isoDate(wallClock(zone, instant));
}

/** The date so many days later. */
export function addDays(date: string, days: number): string {
  return isoDate(midnightUtc(date) + days * DAY);
}

/** The first instant of a day. A day without a midnight begins when its clocks begin; a skipped one where the next does. */
export function dayStart(zone: string, date: string): number {
  const midnight = midnightUtc(date);
  return instantsOf(zone, midnight)[0] ?? gapEnd(zone, midnight);
}

/** The instant at which a day is over: the later midnight where clocks go back over it. */
export function dayEnd(zone: string, date: string): number {
  const midnight = midnightUtc(date) + DAY;
  return instantsOf(zone, midnight).at(-1) ?? gapEnd(zone, midnight);
}

/** A date, or an instant in RFC 3339, or a Date, as an instant. A date is the begin of that day in the zone. */
export function instantOf(time: string | Date, zone: string): number {
  if (time instanceof Date) return time.getTime();
  return /^\d{4}-\d{2}-\d{2}$/.test(time) ? dayStart(zone, time) : Date.parse(time);
}

/** All instants at which clocks in the zone show `wall`, in order: one, two, or in a gap none. */
function instantsOf(zone: string, wall: number): number[] {
  const found = new Set<number>();
  // An offset that counts at such an instant counts somewhere near it too: offsets are from UTC−12 to UTC+14.
  for (let hours = -16; hours <= 16; hours += 4) {
    const near = wall + hours * HOUR;
    const candidate = wall - (wallClock(zone, near) - near);
    if (wallClock(zone, candidate) === wall) found.add(candidate);
  }
  return [...found].sort((a, b) => a - b);
}

/** The instant at which clocks jump over `wall`, found by halving. The longest jump was a day. */
function gapEnd(zone: string, wall: number): number {
  let before = wall - 40 * HOUR;
  let after = wall + 40 * HOUR;
  while (after - before > 1000) {
    const middle = Math.round((before + after) / 2000) * 1000;
    if (wallClock(zone, middle) < wall) before = middle;
    else after = middle;
  }
  return after;
}

function midnightUtc(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}

function isoDate(wall: number): string {
  return new Date(wall).toISOString().slice(0, 10);
}
