import { addDays, addMonths, type DayString, type Formats, startOfMonth, startOfWeek } from '../format/index.js';

/** `days` and `dots` are the narrow layouts of a week and a month. */
export type Layout = 'week' | 'days' | 'month' | 'dots';

/** The number of days that a narrow week shows. */
export const NARROW_DAYS = 3;
/** Six weeks contain every month, and the grid keeps its height. */
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

/** The range to load, with an exclusive end. Only the visible days, so that the current week needs no request. */
export function daysOf({ first, last }: Range): { from: DayString; to: DayString } {
  return { from: first, to: addDays(last, 1) };
}
