/**
 * Calendar days, as `2026-11-24`, without a time zone. `Date` serves as a Gregorian calendar in UTC, where every day has 24
 * hours.
 */
export type DayString = string;

const DAY_MS = 86_400_000;

/** The day's midnight in UTC, for arithmetic and for `Intl` with `timeZone: 'UTC'`. */
export function utcOf(day: DayString): Date {
  return new Date(`${day.slice(0, 10)}T00:00:00Z`);
}

export function addDays(day: DayString, days: number): DayString {
  return new Date(utcOf(day).getTime() + days * DAY_MS).toISOString().slice(0, 10);
}

/** The same day a number of months later, or the last day of a shorter month. */
export function addMonths(day: DayString, months: number): DayString {
  const date = utcOf(day);
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  const lastOfMonth = new Date(first);
  lastOfMonth.setUTCMonth(lastOfMonth.getUTCMonth() + 1, 0);
  const dayOfMonth = Math.min(date.getUTCDate(), lastOfMonth.getUTCDate());
  return new Date(first + (dayOfMonth - 1) * DAY_MS).toISOString().slice(0, 10);
}

/** How many days `to` is after `from`. */
export function daysBetween(from: DayString, to: DayString): number {
  return Math.round((utcOf(to).getTime() - utcOf(from).getTime()) / DAY_MS);
}

/** 0 is Sunday, as `Date` counts. */
export function weekdayOf(day: DayString): number {
  return utcOf(day).getUTCDay();
}

export function startOfWeek(day: DayString, firstWeekday: number): DayString {
  return addDays(day, -((weekdayOf(day) - firstWeekday + 7) % 7));
}

export function startOfMonth(day: DayString): DayString {
  return `${day.slice(0, 8)}01`;
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(utcOf(text).getTime());
}

interface WeekInfo {
  firstDay: number;
}

/** The first weekday in the locale; 0 is Sunday. */
export function firstWeekday(locale: string | undefined): number {
  const name = locale ?? new Intl.DateTimeFormat().resolvedOptions().locale;
  // A method in the standard, a property in older browsers, and missing in Firefox before 2026.
  const place = new Intl.Locale(name) as Intl.Locale & { getWeekInfo?: () => WeekInfo; weekInfo?: WeekInfo };
  const info = place.getWeekInfo?.() ?? place.weekInfo;
  return (info?.firstDay ?? 1) % 7;
}
