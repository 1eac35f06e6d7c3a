import { afterEach, describe, expect, it, vi } from 'vitest';

import { atWall, intlZone, isZone, localZone, rfc3339 } from '../src/core/zone.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the browser’s zone', () => {
  it('is UTC where the browser knows none', () => {
    const options = new Intl.DateTimeFormat().resolvedOptions();
    vi.spyOn(Intl.DateTimeFormat.prototype, 'resolvedOptions').mockReturnValue({ ...options, timeZone: 'Etc/Unknown' });
    expect(localZone()).toBe('UTC');
  });
});

describe('a fixed offset', () => {
  it.each([
    ['GMT+02:00', 2],
    ['GMT+5', 5],
    ['UTC-0300', -3],
    ['+00:00', 0],
  ])('of %s is a zone without summer', (zone, hours) => {
    for (const month of ['01', '07'])
      expect(atWall(zone, `2027-${month}-01T09:00`)).toBe(Date.parse(`2027-${month}-01T09:00Z`) - hours * 3_600_000);
  });

  it('is written with its offset', () => {
    expect(rfc3339('GMT+02:00', Date.parse('2027-02-01T07:00Z'))).toBe('2027-02-01T09:00:00+02:00');
  });

  it('with minutes has a name that newer browsers know', () => {
    expect(intlZone('UTC-03:30')).toBe('-03:30');
    expect(intlZone('GMT+0545')).toBe('+05:45');
    expect(isZone('GMT+25:00')).toBe(false);
  });
});
