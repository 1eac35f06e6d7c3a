import { addDays, addMonths, type DayString, type Formats, startOfMonth, startOfWeek } from '../format/index.js';

/** `days` and `dots` are what a week and a month become where there is little room. */
export type Layout = 'week' | 'days' | 'month' | 'dots';

/** What a narrow week shows at a time. */
export const NARROW_DAYS = 3;
/** Six weeks hold every month, and a grid that keeps its height does not jump. */
const MONTH_DAYS = 42;

export interface Range {
  first: DayString;
  /** Inclusive. */
  last: DayString;
}

export function rangeOf(layout: Layout, date: DayString, firstWeekday: number): Range {
  switch (layout) {
    case 'week':
      return spanFrom(startOfWeek(date, firstWeekday), 7);
    case 'days':
      return spanFrom(date, NARROW_DAYS);
    case 'month':
    case 'dots':
      return spanFrom(startOfWeek(startOfMonth(date), firstWeekday), MONTH_DAYS);
  }
}

function spanFrom(first: DayString, days: number): Range {
  return { first, last: addDays(first, days - 1) };
}

export function step(layout: Layout, date: DayString, direction: 1 | -1): DayString {
  if (layout === 'week') return addDays(date, 7 * direction);
  if (layout === 'days') return addDays(date, NARROW_DAYS * direction);
  return addMonths(date, direction);
}

export function titleOfRange(layout: Layout, date: DayString, { first, last }: Range, formats: Formats): string {
  if (layout === 'month' || layout === 'dots') return formats.month(date);
  return formats.span(first, last, layout === 'days' ? 'short' : 'long');
}

/** The days to ask for, the last one exclusive. No more than these: this week is then answered without a request. */
export function daysOf({ first, last }: Range): { from: DayString; to: DayString } {
  return { from: first, to: addDays(last, 1) };
}
