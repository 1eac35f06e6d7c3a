/**
 * Wall-clock time in a zone, where an hour can be missing or occur twice, and a zone can skip a whole day.
 * Instants are milliseconds since 1970, dates are `2026-11-22`. The server applies the same rules.
 */

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-hc-h23-nu-latn', {
      timeZone: intlZone(zone),
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

/**
 * The zone as `Intl` names it. Google also has fixed offsets, such as `GMT+02:00` and `GMT+5`. Of `Etc/GMT-2` the sign is
 * reversed; browsers of before 2024 know no others, and not those with minutes.
 */
export function intlZone(zone: string): string {
  const fixed = /^(?:GMT|UTC|UT)?([+-])(\d{1,2})(?::?(\d{2}))?$/.exec(zone);
  if (!fixed) return zone;
  const [, sign = '+', hour = '0', minute = '00'] = fixed;
  const isNamed = minute === '00' && Number(hour) <= 12;
  return isNamed ? `Etc/GMT${sign === '+' ? '-' : '+'}${Number(hour)}` : `${sign}${hour.padStart(2, '0')}:${minute}`;
}

/** A browser may be older than a zone. */
export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** The browser's zone. UTC if it has none: some report `Etc/Unknown`, which `Intl` itself refuses. */
export function localZone(): string {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isZone(zone) ? zone : 'UTC';
}

/** The local time at an instant, encoded as the instant at which UTC has that time. */
function wallClock(zone: string, instant: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const subsecond = ((instant % 1000) + 1000) % 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) + subsecond;
}

/** The local time at an instant: `2026-11-22T09:30`. */
export function wallAt(zone: string, instant: number): string {
  return new Date(wallClock(zone, instant)).toISOString().slice(0, 16);
}

/** The instant of a local time. The first of two; a skipped time is moved forward by the length of the gap. */
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
  const offset = new Date(Math.abs(minutes) * 60_000).toISOString().slice(11, 16);
  return `${text}${minutes < 0 ? '-' : '+'}${offset}`;
}

/** The local date at an instant. */
export function dateAt(zone: string, instant: number): string {
  return isoDate(wallClock(zone, instant));
}

/** The date a number of days later. */
export function addDays(date: string, days: number): string {
  return isoDate(midnightUtc(date) + days * DAY);
}

/** The first instant of a day. Without a midnight, it is the end of the gap; a skipped day starts where the next one does. */
export function dayStart(zone: string, date: string): number {
  const midnight = midnightUtc(date);
  return instantsOf(zone, midnight)[0] ?? gapEnd(zone, midnight);
}

/** The instant at which a day ends: the later midnight when the clocks go back over it. */
export function dayEnd(zone: string, date: string): number {
  const midnight = midnightUtc(date) + DAY;
  return instantsOf(zone, midnight).at(-1) ?? gapEnd(zone, midnight);
}

/** Converts a date, an RFC 3339 instant or a Date. A date becomes the start of that day in the zone. */
export function instantOf(time: string | Date, zone: string): number {
  if (time instanceof Date) return time.getTime();
  return /^\d{4}-\d{2}-\d{2}$/.test(time) ? dayStart(zone, time) : Date.parse(time);
}

/** All instants with the local time `wall`, in order: one, two, or none in a gap. */
function instantsOf(zone: string, wall: number): number[] {
  const found = new Set<number>();
  // An offset that applies at such an instant also applies near it. Offsets are between UTC−12 and UTC+14.
  for (let hours = -16; hours <= 16; hours += 4) {
    const near = wall + hours * HOUR;
    const candidate = wall - (wallClock(zone, near) - near);
    if (wallClock(zone, candidate) === wall) found.add(candidate);
  }
  return [...found].sort((a, b) => a - b);
}

/** The end of the gap that contains `wall`, by binary search. The longest gap on record is a day. */
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
