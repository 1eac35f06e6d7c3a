import { describe, expect, it } from 'vitest';

import { daysOf, rangeOf, step } from './range.js';

describe('the visible days', () => {
  it('are a whole week, from the locale’s first day', () => {
    expect(rangeOf('week', '2026-11-24', 1)).toEqual({ first: '2026-11-23', last: '2026-11-29' });
    expect(rangeOf('week', '2026-11-22', 0)).toEqual({ first: '2026-11-22', last: '2026-11-28' });
  });

  it('are three on a phone, starting with the date', () => {
    expect(rangeOf('days', '2026-11-24', 1)).toEqual({ first: '2026-11-24', last: '2026-11-26' });
  });

  it('are six weeks around a month', () => {
    expect(rangeOf('month', '2026-11-24', 1)).toEqual({ first: '2026-10-26', last: '2026-12-06' });
    expect(rangeOf('dots', '2027-02-01', 1)).toEqual({ first: '2027-02-01', last: '2027-03-14' });
  });

  it('advance by the visible range', () => {
    expect(step('week', '2026-12-28', 1)).toBe('2027-01-04');
    expect(step('days', '2026-11-24', -1)).toBe('2026-11-21');
    expect(step('month', '2026-01-31', 1)).toBe('2026-02-28');
  });

  it('are loaded to the end of the last one', () => {
    expect(daysOf({ first: '2026-11-24', last: '2026-11-30' })).toEqual({ from: '2026-11-24', to: '2026-12-01' });
  });
});
