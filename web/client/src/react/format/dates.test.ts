import { describe, expect, it } from 'vitest';

import { addDays, addMonths, daysBetween, firstWeekday, isDay, startOfMonth, startOfWeek } from './dates.js';

describe('days', () => {
  it('are added across months, leap days and years', () => {
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
    expect(addDays('2026-03-01', -1)).toBe('2026-02-28');
  });

  it('are counted across clock changes', () => {
    expect(daysBetween('2026-03-28', '2026-03-30')).toBe(2);
    expect(daysBetween('2026-10-26', '2026-10-24')).toBe(-2);
  });

  it('a month later stay within that month', () => {
    expect(addMonths('2026-01-31', 1)).toBe('2026-02-28');
    expect(addMonths('2026-12-15', 1)).toBe('2027-01-15');
    expect(addMonths('2026-03-31', -1)).toBe('2026-02-28');
  });

  it('find the start of their week and month', () => {
    expect(startOfWeek('2026-11-24', 1)).toBe('2026-11-23');
    expect(startOfWeek('2026-11-24', 0)).toBe('2026-11-22');
    expect(startOfWeek('2026-11-22', 1)).toBe('2026-11-16');
    expect(startOfMonth('2026-11-24')).toBe('2026-11-01');
  });

  it('are validated', () => {
    expect(isDay('2026-11-24')).toBe(true);
    expect(isDay('2026-13-01')).toBe(false);
    expect(isDay('')).toBe(false);
  });

  it('start the week as the locale does', () => {
    expect(firstWeekday('en-US')).toBe(0);
    expect(firstWeekday('de-DE')).toBe(1);
    expect(firstWeekday('ar-EG')).toBe(6);
  });
});
