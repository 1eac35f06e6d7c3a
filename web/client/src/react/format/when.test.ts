import { describe, expect, it } from 'vitest';

import { countdownOf, formatsOf, isOver, spanOf, type Timed } from './when.js';

/** Replaces the thin and narrow spaces of `Intl`. */
const spaced = (text: string | null | undefined) => text?.replace(/[\u2009\u202F\u00A0]/g, ' ');

const auckland = formatsOf('en-NZ', 'Pacific/Auckland');
const losAngeles = formatsOf('en-US', 'America/Los_Angeles');
const kathmandu = formatsOf('en-GB', 'Asia/Kathmandu');
const berlin = formatsOf('de-DE', 'Europe/Berlin');

const timed = (start: string, end: string, timeZone: string | null = null): Timed => ({
  start,
  end,
  allDay: false,
  timeZone,
});
const allDay = (start: string, end: string): Timed => ({ start, end, allDay: true, timeZone: null });

describe('the day of an instant', () => {
  it('is the viewer’s local day', () => {
    const instant = '2026-11-24T11:30:00Z';
    expect(auckland.dayOf(instant)).toBe('2026-11-25');
    expect(losAngeles.dayOf(instant)).toBe('2026-11-24');
    expect(losAngeles.dayOf('2026-11-24T07:59:59Z')).toBe('2026-11-23');
    expect(kathmandu.dayOf('2026-11-24T18:15:00Z')).toBe('2026-11-25');
    expect(kathmandu.dayOf('2026-11-24T18:14:59Z')).toBe('2026-11-24');
  });
});

describe('times', () => {
  it('are in the viewer’s zone and locale', () => {
    const event = timed('2026-11-24T09:30:00Z', '2026-11-24T10:00:00Z');
    expect(spaced(auckland.times(event))).toBe('10:30 – 11:00 pm');
    expect(spaced(losAngeles.times(event))).toBe('1:30 – 2:00 AM');
    expect(spaced(kathmandu.times(event))).toMatch(/^15:15\s?–\s?15:45$/);
    expect(spaced(berlin.times(event))).toMatch(/^10:30\s?–\s?11:00( Uhr)?$/);
  });

  it('include dates only if longer than one night', () => {
    expect(spaced(losAngeles.times(timed('2026-11-25T06:00:00Z', '2026-11-25T09:00:00Z')))).toBe('10:00 PM – 1:00 AM');
    expect(spaced(losAngeles.times(timed('2026-11-24T18:00:00Z', '2026-11-26T18:00:00Z')))).toBe(
      'Tue, Nov 24, 10:00 AM – Thu, Nov 26, 10:00 AM',
    );
  });

  it('of an event without length are one time', () => {
    expect(spaced(losAngeles.times(timed('2026-11-24T18:00:00Z', '2026-11-24T18:00:00Z')))).toBe('10:00 AM');
  });

  it('are correct on days with a clock change', () => {
    // 2026-11-01: 1:30 occurs twice in Los Angeles.
    expect(spaced(losAngeles.time('2026-11-01T08:30:00Z'))).toBe('1:30 AM');
    expect(spaced(losAngeles.time('2026-11-01T09:30:00Z'))).toBe('1:30 AM');
    // 2026-03-29: 2:00 to 3:00 is skipped in Berlin.
    expect(berlin.time('2026-03-29T00:59:00Z')).toBe('01:59');
    expect(berlin.time('2026-03-29T01:00:00Z')).toBe('03:00');
    // 2026-09-27: Auckland changes from +12 to +13.
    expect(spaced(auckland.times(timed('2026-09-26T13:30:00Z', '2026-09-26T14:30:00Z')))).toBe('1:30 – 3:30 am');
  });

  it('include the event’s zone if its clocks differ', () => {
    const event = timed('2026-11-24T17:00:00Z', '2026-11-24T18:00:00Z', 'America/Los_Angeles');
    const there = kathmandu.timesThere(event);
    expect(there?.zone).toBe('Los Angeles');
    expect(there?.times).toMatch(/^09:00\s?–\s?10:00$/);
    expect(losAngeles.timesThere(event)).toBeNull();
  });

  it('include a fixed offset of Google’s', () => {
    const there = losAngeles.timesThere(timed('2026-11-24T07:00:00Z', '2026-11-24T08:00:00Z', 'GMT+02:00'));
    expect(there?.zone).toBe('GMT+02:00');
    expect(there?.times).toMatch(/9:00\s?–\s?10:00/);
  });

  it('are not repeated for zones with the same clock', () => {
    const event = timed('2026-11-24T09:00:00Z', '2026-11-24T10:00:00Z', 'Europe/Paris');
    expect(berlin.timesThere(event)).toBeNull();
    expect(berlin.timesThere({ ...event, timeZone: 'Not/AZone' })).toBeNull();
  });
});

describe('formatted days', () => {
  it('use names for near days', () => {
    expect(losAngeles.day('2026-11-24', '2026-11-24')).toBe('Today');
    expect(losAngeles.day('2026-11-25', '2026-11-24')).toBe('Tomorrow');
    expect(losAngeles.day('2026-11-23', '2026-11-24')).toBe('Yesterday');
    expect(berlin.day('2026-11-25', '2026-11-24')).toBe('Morgen');
  });

  it('use dates for others, with another year if different', () => {
    expect(losAngeles.day('2026-11-26', '2026-11-24')).toBe('Thursday, November 26');
    expect(losAngeles.day('2027-01-04', '2026-11-24')).toBe('Monday, January 4, 2027');
  });

  it('of all-day events do not depend on the zone', () => {
    for (const formats of [auckland, losAngeles, kathmandu]) {
      expect(formats.daysOf(allDay('2026-11-24', '2026-11-25'), '2026-11-24')).toBe('Today');
      expect(formats.times(allDay('2026-11-24', '2026-11-25'))).toBeNull();
    }
    expect(spaced(losAngeles.daysOf(allDay('2026-11-26', '2026-11-29'), '2026-11-24'))).toBe(
      'Thu, Nov 26 – Sat, Nov 28',
    );
    expect(spaced(auckland.daysOf(allDay('2026-11-26', '2026-11-29'), '2026-11-24'))).toMatch(/26.*28/);
  });

  it('of all-day events do not depend on clock changes', () => {
    expect(spanOf(allDay('2026-10-31', '2026-11-03'), losAngeles.dayOf)).toEqual({
      first: '2026-10-31',
      last: '2026-11-02',
    });
    expect(spanOf(allDay('2026-11-24', '2026-11-24'), losAngeles.dayOf)).toEqual({
      first: '2026-11-24',
      last: '2026-11-24',
    });
  });

  it('of timed events end before midnight', () => {
    const untilMidnight = timed('2026-11-25T06:00:00Z', '2026-11-25T08:00:00Z');
    expect(spanOf(untilMidnight, losAngeles.dayOf)).toEqual({ first: '2026-11-24', last: '2026-11-24' });
    expect(spanOf(untilMidnight, kathmandu.dayOf)).toEqual({ first: '2026-11-25', last: '2026-11-25' });
    const after = timed('2026-11-25T06:00:00Z', '2026-11-25T08:00:01Z');
    expect(spanOf(after, losAngeles.dayOf)).toEqual({ first: '2026-11-24', last: '2026-11-25' });
  });

  it('of an instant are omitted for today', () => {
    const now = new Date('2026-11-24T20:00:00Z');
    expect(spaced(losAngeles.moment('2026-11-24T18:00:00Z', now))).toBe('10:00 AM');
    expect(spaced(losAngeles.moment('2026-11-23T18:00:00Z', now))).toBe('Mon, Nov 23, 10:00 AM');
  });
});

describe('the countdown', () => {
  const event = timed('2026-11-24T12:00:00Z', '2026-11-24T12:30:00Z');
  const at = (time: string) => countdownOf(event, new Date(`2026-11-24T${time}Z`));

  it('counts whole minutes and ends with the event', () => {
    expect(at('11:48:00')).toEqual({ state: 'ahead', minutes: 12 });
    expect(at('11:59:59')).toEqual({ state: 'ahead', minutes: 1 });
    expect(at('12:00:00')).toEqual({ state: 'running', minutesLeft: 30 });
    expect(at('12:29:30')).toEqual({ state: 'running', minutesLeft: 1 });
    expect(at('12:30:00')).toEqual({ state: 'over' });
  });

  it('is null for all-day events', () => {
    expect(countdownOf(allDay('2026-11-24', '2026-11-25'), new Date())).toBeNull();
  });

  it('keeps an event without length running for a minute', () => {
    const moment = timed('2026-11-24T12:00:00Z', '2026-11-24T12:00:00Z');
    expect(countdownOf(moment, new Date('2026-11-24T12:00:30Z'))?.state).toBe('running');
    expect(countdownOf(moment, new Date('2026-11-24T12:01:00Z'))?.state).toBe('over');
  });

  it('ends all-day events with their last local day', () => {
    const now = new Date('2026-11-24T12:00:00Z');
    expect(isOver(allDay('2026-11-23', '2026-11-25'), now, '2026-11-24')).toBe(false);
    expect(isOver(allDay('2026-11-23', '2026-11-25'), now, '2026-11-25')).toBe(true);
  });
});
