/** Busy intervals, compared with a model that checks every quarter of an hour. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { busyIntervals } from '../src/core/busy.js';
import { addDays, dateAt, dayEnd, dayStart } from '../src/core/zone.js';
import type { Event } from '../src/generated/types.js';
import { anEvent, iso } from './model-server.js';

const QUARTER = 900_000;
const HOUR = 3_600_000;

/** Weeks with a clock change, and one without. */
const WEEKS = [
  { zone: 'Europe/Zurich', monday: '2026-03-23' },
  { zone: 'Europe/Zurich', monday: '2026-10-19' },
  { zone: 'America/New_York', monday: '2026-11-02' },
  { zone: 'Australia/Lord_Howe', monday: '2026-03-30' },
  // The gap contains midnight.
  { zone: 'Africa/Cairo', monday: '2026-04-20' },
  { zone: 'America/Santiago', monday: '2026-08-31' },
  { zone: 'UTC', monday: '2026-06-01' },
];

const me = (responseStatus: string) => ({
  email: 'me@example.com',
  displayName: null,
  self: true,
  optional: false,
  responseStatus,
});

interface Week {
  zone: string;
  span: { from: number; to: number };
  events: Event[];
}

const weeks: fc.Arbitrary<Week> = fc.constantFrom(...WEEKS).chain(({ zone, monday }) => {
  const span = { from: dayStart(zone, monday), to: dayEnd(zone, addDays(monday, 6)) };
  const kind = fc.record({
    status: fc.constantFrom<Event['status']>('confirmed', 'confirmed', 'tentative', 'cancelled'),
    transparency: fc.constantFrom<Event['transparency']>('opaque', 'opaque', 'opaque', 'transparent'),
    attendees: fc.constantFrom<Event['attendees'][]>(
      [],
      [],
      [me('accepted')],
      [me('declined')],
      [{ ...me('declined'), self: false }],
    ),
  });
  const timed = fc
    .record({ quarter: fc.integer({ min: -40, max: 7 * 96 + 8 }), quarters: fc.integer({ min: 0, max: 60 }), kind })
    .map(({ quarter, quarters, kind }) => {
      const start = span.from + quarter * QUARTER;
      return anEvent({ id: 't', start: iso(start), end: iso(start + quarters * QUARTER), ...kind });
    });
  const allDay = fc
    .record({ day: fc.integer({ min: -2, max: 8 }), days: fc.integer({ min: 0, max: 3 }), kind })
    .map(({ day, days, kind }) =>
      anEvent({ id: 'd', allDay: true, start: addDays(monday, day), end: addDays(monday, day + days), ...kind }),
    );
  return fc.array(fc.oneof({ weight: 3, arbitrary: timed }, allDay), { maxLength: 12 }).map((events) => ({
    zone,
    span,
    events,
  }));
});

/** Whether a moment is busy, checked event by event and by local dates. */
function isBusyAt(moment: number, { events, zone }: Week): boolean {
  return events.some((event) => {
    if (event.status === 'cancelled' || event.transparency === 'transparent') return false;
    if (event.attendees.some((guest) => guest.self && guest.responseStatus === 'declined')) return false;
    if (!event.allDay) return Date.parse(event.start) <= moment && moment < Date.parse(event.end);
    const day = dateAt(zone, moment);
    return event.start <= day && (day < event.end || day === event.start);
  });
}

describe('busyIntervals', () => {
  it('contains every busy moment and no free one', () => {
    fc.assert(
      fc.property(weeks, (week) => {
        const busy = busyIntervals(week.events, week.span, week.zone);
        for (let moment = week.span.from; moment < week.span.to; moment += QUARTER) {
          const found = busy.some(({ from, to }) => from <= moment && moment < to);
          if (found !== isBusyAt(moment, week)) throw new Error(`${iso(moment)} is ${found ? 'busy' : 'free'}`);
        }
      }),
    );
  });

  it('is sorted, disjoint, within the span, and independent of order', () => {
    fc.assert(
      fc.property(weeks, fc.infiniteStream(fc.nat()), ({ zone, span, events }, randoms) => {
        const busy = busyIntervals(events, span, zone);
        let end = span.from - 1;
        for (const { from, to } of busy) {
          expect(from).toBeGreaterThan(end);
          expect(to).toBeGreaterThan(from);
          end = to;
        }
        expect(end).toBeLessThanOrEqual(span.to);
        const shuffled = events
          .map((event) => ({ event, key: Number(randoms.next().value) }))
          .sort((a, b) => a.key - b.key)
          .map(({ event }) => event);
        expect(busyIntervals(shuffled, span, zone)).toEqual(busy);
      }),
    );
  });

  it.each([
    ['Europe/Zurich', '2026-03-29', 23],
    ['Europe/Zurich', '2026-10-25', 25],
    ['Australia/Lord_Howe', '2026-04-05', 24.5],
    ['Africa/Cairo', '2026-04-24', 23],
    ['America/Santiago', '2026-09-06', 23],
    ['UTC', '2026-03-29', 24],
  ])('covers a whole day: in %s on %s %d hours', (zone, day, hours) => {
    const event = anEvent({ id: 'd', allDay: true, start: day, end: addDays(day, 1), timeZone: null });
    const busy = busyIntervals([event], { from: 0, to: Number.MAX_SAFE_INTEGER }, zone);
    expect(busy).toEqual([{ from: dayStart(zone, day), to: dayEnd(zone, day) }]);
    expect(busy.map(({ from, to }) => (to - from) / HOUR)).toEqual([hours]);
  });
});
