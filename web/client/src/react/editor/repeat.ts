import { addDays, atWall } from '../../core/zone.js';
import { entryOf } from '../format/index.js';

/** The frequencies that the form offers. `custom` is any other rule, which is shown and kept. */
export type Frequency = 'none' | 'daily' | 'weekdays' | 'weekly' | 'monthly' | 'yearly' | 'custom';

export type RepeatEnd = { kind: 'never' } | { kind: 'on'; date: string } | { kind: 'after'; count: number };

export interface Repeat {
  frequency: Frequency;
  end: RepeatEnd;
  /** For `custom`: RRULE, EXDATE and RDATE lines. */
  lines: string[];
}

export const NO_REPEAT: Repeat = { frequency: 'none', end: { kind: 'never' }, lines: [] };

const FREQUENCIES: Readonly<Record<string, Frequency>> = {
  DAILY: 'daily',
  WEEKLY: 'weekly',
  MONTHLY: 'monthly',
  YEARLY: 'yearly',
};
const WEEKDAYS = 'MO,TU,WE,TH,FR';
const DAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'];

/** `date` is the start's day, from which simple rules take their weekday or day of the month. */
export function repeatOf(lines: readonly string[], date: string): Repeat {
  if (lines.length === 0) return NO_REPEAT;
  const custom: Repeat = { frequency: 'custom', end: { kind: 'never' }, lines: [...lines] };
  const [line = ''] = lines;
  if (lines.length > 1 || !line.startsWith('RRULE:')) return custom;
  const parts = new Map(
    line
      .slice('RRULE:'.length)
      .split(';')
      .map((part) => part.split('=') as [string, string]),
  );
  const frequency = frequencyOf(parts, date);
  const end = endOf(parts);
  const rest = [...parts.keys()].filter(
    (name) => !['FREQ', 'INTERVAL', 'WKST', 'BYDAY', 'COUNT', 'UNTIL'].includes(name),
  );
  const plain = frequency && end && rest.length === 0 && (parts.get('INTERVAL') ?? '1') === '1';
  return plain ? { frequency, end, lines: [...lines] } : custom;
}

function frequencyOf(parts: ReadonlyMap<string, string>, date: string): Frequency | undefined {
  const frequency = entryOf(FREQUENCIES, parts.get('FREQ') ?? '');
  const byDay = parts.get('BYDAY');
  if (byDay === undefined || frequency !== 'weekly') return byDay === undefined ? frequency : undefined;
  if (byDay === WEEKDAYS) return 'weekdays';
  return byDay === DAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] ? 'weekly' : undefined;
}

function endOf(parts: ReadonlyMap<string, string>): RepeatEnd | undefined {
  const [count, until] = [parts.get('COUNT'), parts.get('UNTIL')];
  if (count !== undefined) return /^\d+$/.test(count) ? { kind: 'after', count: Number(count) } : undefined;
  if (until === undefined) return { kind: 'never' };
  const day = /^(\d{4})(\d{2})(\d{2})/.exec(until);
  return day ? { kind: 'on', date: `${day[1] ?? ''}-${day[2] ?? ''}-${day[3] ?? ''}` } : undefined;
}

/** The lines of a recurrence. `zone` is the start's; null for all-day events. */
export function linesOf({ frequency, end, lines }: Repeat, zone: string | null): string[] {
  if (frequency === 'none') return [];
  if (frequency === 'custom') return lines;
  const rule = frequency === 'weekdays' ? `FREQ=WEEKLY;BYDAY=${WEEKDAYS}` : `FREQ=${frequency.toUpperCase()}`;
  return [`RRULE:${rule}${endLine(end, zone)}`];
}

function endLine(end: RepeatEnd, zone: string | null): string {
  if (end.kind === 'never') return '';
  if (end.kind === 'after') return `;COUNT=${end.count}`;
  if (zone === null) return `;UNTIL=${end.date.replaceAll('-', '')}`;
  // The day's last second, in UTC as RFC 5545 requires.
  const last = new Date(atWall(zone, `${addDays(end.date, 1)}T00:00`) - 1_000);
  return `;UNTIL=${last.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** The day on which a rule ends, in the zone of its start. */
export function lastDay(
  lines: readonly string[],
  zone: string,
  dateAt: (zone: string, instant: number) => string,
): string | null {
  const until = /UNTIL=(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z/.exec(lines[0] ?? '');
  if (!until) return null;
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = until;
  return dateAt(zone, Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`));
}
