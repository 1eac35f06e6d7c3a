/** Results computed in the browser equal the server's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { daysWindow, inOrder, touching } from '../src/core/occurrence.js';
import { fromState } from '../src/core/reducer.js';
import { covers, eventsWithin, upcoming, willCover } from '../src/core/upcoming.js';
import { addDays, dateAt, DAY, dayEnd, dayStart, instantOf } from '../src/core/zone.js';
import type { Event } from '../src/generated/types.js';
import { anEvent, dataOf, iso, ModelServer } from './model-server.js';
import allDay from './vectors/all-day.json' with { type: 'json' };
import daysWindows from './vectors/days-window.json' with { type: 'json' };

const NOW = Date.parse('2026-11-24T09:30:00Z');
const ids = (events: Event[]) => events.map(({ id }) => id);

describe('days', () => {
  it.each(daysWindows.cases)('$zone $now +$days', ({ zone, now, days, to }) => {
    const window = daysWindow(Date.parse(now), days, zone);
    expect(iso(window.to)).toBe(iso(Date.parse(to)));
    expect(window.from).toBe(Date.parse(now));
  });

  it('are contiguous, in every zone', () => {
    const zones = ['Pacific/Auckland', 'America/Los_Angeles', 'Asia/Kathmandu', 'Africa/Cairo', 'America/Santiago'];
    const times = fc.date({ min: new Date('1990-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(times, fc.constantFrom(...zones), (time, zone) => {
        const date = dateAt(zone, time.getTime());
        expect(dayStart(zone, date)).toBeLessThanOrEqual(time.getTime());
        expect(dayEnd(zone, date)).toBeGreaterThan(time.getTime());
        expect(dateAt(zone, dayStart(zone, date))).toBe(date);
        expect(dayEnd(zone, date)).toBeGreaterThanOrEqual(dayStart(zone, addDays(date, 1)));
      }),
    );
  });

  it('are converted to instants at their start', () => {
    expect(iso(instantOf('2026-11-24', 'Asia/Kathmandu'))).toBe('2026-11-23T18:15:00.000Z');
    expect(instantOf('2026-11-24T10:00:00+01:00', 'Asia/Kathmandu')).toBe(Date.parse('2026-11-24T09:00:00Z'));
    expect(instantOf(new Date(NOW), 'UTC')).toBe(NOW);
  });
});

describe('an all-day event', () => {
  const event = anEvent({ id: 'a', allDay: true, start: '2026-11-22', end: '2026-11-23', timeZone: null });

  it.each(allDay.cases)('in $zone from $from to $to: $seen', ({ zone, from, to, seen }) => {
    expect(touching({ from: Date.parse(from), to: Date.parse(to) }, zone)(event)).toBe(seen);
  });
});

describe('upcoming events', () => {
  const at = (id: string, start: string, end: string) =>
    anEvent({ id, start: `2026-11-${start}Z`, end: `2026-11-${end}Z` });
  const day = (id: string, start: number, end: number) =>
    anEvent({ id, allDay: true, start: `2026-11-${start}`, end: `2026-11-${end}`, timeZone: null });

  function known(...events: Event[]) {
    const server = new ModelServer(NOW);
    for (const event of events) server.write('work', event.id, [event]);
    return dataOf(server);
  }
  const ask = { days: 1, maxResults: 10, calendarIds: undefined, zone: 'UTC' };

  it('contain running events and none that have ended', () => {
    const data = known(
      at('over', '24T08:00:00', '24T09:30:00'),
      at('running', '24T09:00:00', '24T10:00:00'),
      at('moment', '24T09:30:00', '24T09:30:00'),
      at('tomorrow', '25T23:59:00', '26T01:00:00'),
      at('after', '26T00:00:00', '26T01:00:00'),
      day('today', 24, 25),
      day('yesterday', 23, 24),
    );
    expect(ids(upcoming(data, NOW, ask)?.events ?? [])).toEqual(['today', 'running', 'moment', 'tomorrow']);
  });

  it('are sorted by local start, all-day events first', () => {
    // In Auckland the 25th begins at 11:00 UTC on the 24th.
    const events = [at('a', '24T11:00:00', '24T12:00:00'), at('b', '24T10:59:00', '24T12:00:00'), day('whole', 25, 26)];
    expect(ids(inOrder(events, 'Pacific/Auckland'))).toEqual(['b', 'whole', 'a']);
    expect(ids(inOrder(events, 'UTC'))).toEqual(['b', 'a', 'whole']);
    expect(ids(inOrder([at('y', '24T11:00:00', '24T12:00:00'), at('x', '24T11:00:00', '24T13:00:00')], 'UTC'))).toEqual(
      ['x', 'y'],
    );
  });

  it('are valid until the next event or the day ends', () => {
    const data = known(at('first', '24T09:00:00', '24T10:00:00'), at('second', '24T09:00:00', '24T11:00:00'));
    const one = upcoming(data, NOW, { ...ask, maxResults: 1 });
    expect(one).toMatchObject({ truncated: true, validUntil: Date.parse('2026-11-24T10:00:00Z') });
    const next = upcoming(data, one?.validUntil ?? 0, { ...ask, maxResults: 1 });
    expect(ids(next?.events ?? [])).toEqual(['second']);
    expect(next?.truncated).toBe(false);
    const none = upcoming(data, Date.parse('2026-11-24T12:00:00Z'), ask);
    expect(none).toMatchObject({ events: [], validUntil: Date.parse('2026-11-25T00:00:00Z') });
  });

  it('are valid for at least a millisecond', () => {
    const data = known(at('moment', '24T09:30:00', '24T09:30:00'));
    const { validUntil } = upcoming(data, NOW, ask) ?? { validUntil: 0 };
    expect(validUntil).toBe(NOW + 1);
    expect(upcoming(data, validUntil, ask)?.events).toEqual([]);
  });

  it('can be limited to calendars, if these are known', () => {
    const server = new ModelServer(NOW, ['home', 'work']);
    server.write('home', 'a', [anEvent({ id: 'a', calendarId: 'home' })]);
    server.write('work', 'b', [anEvent({ id: 'b' })]);
    const data = dataOf(server);
    expect(ids(upcoming(data, NOW, { ...ask, calendarIds: ['home'] })?.events ?? [])).toEqual(['a']);
    expect(upcoming(data, NOW, { ...ask, calendarIds: ['home', 'elsewhere'] })).toBeNull();
  });

  it('can be limited to types of events', () => {
    const birthdays = Array.from({ length: 60 }, (_, i) => anEvent({ ...day(`b${i}`, 24, 25), eventType: 'birthday' }));
    const data = known(...birthdays, at('meeting', '25T09:00:00', '25T10:00:00'));
    const meetings = upcoming(data, NOW, { ...ask, eventTypes: ['default'] });
    expect(ids(meetings?.events ?? [])).toEqual(['meeting']);
    expect(ids(upcoming(data, NOW, ask)?.events ?? [])).not.toContain('meeting');
  });

  it('are unknown beyond the window', () => {
    const data = known();
    expect(upcoming(data, NOW, { ...ask, days: 39 })).not.toBeNull();
    expect(upcoming(data, NOW, { ...ask, days: 41 })).toBeNull();
    const span = (from: number, to: number) => ({ from: NOW + from * DAY, to: NOW + to * DAY });
    for (const [from, to, inside] of [
      [-6, 40, true],
      [-8, 1, false],
      [0, 42, false],
    ] as const) {
      expect(covers(data, span(from, to))).toBe(inside);
      expect(willCover(NOW, span(from, to))).toBe(inside);
    }
  });

  it('always contain the current week, in every zone', () => {
    const zones = ['Pacific/Kiritimati', 'Pacific/Auckland', 'Asia/Kathmandu', 'Europe/Berlin', 'Etc/GMT+12'];
    for (let hour = 0; hour < 7 * 24; hour += 1) {
      const now = NOW + hour * 3_600_000;
      const data = dataOf(new ModelServer(now));
      for (const zone of zones) {
        const today = dateAt(zone, now);
        for (const back of [0, 1, 2, 3, 4, 5, 6]) {
          const first = addDays(today, -back);
          const span = { from: instantOf(first, zone), to: instantOf(addDays(first, 7), zone) };
          expect(covers(data, span), `${zone} ${iso(now)} -${back}`).toBe(true);
        }
      }
    }
  });

  it('end where a truncated snapshot ends', () => {
    const server = new ModelServer(NOW);
    server.write('work', 'a', [at('a', '26T10:00:00', '26T11:00:00')]);
    server.write('work', 'b', [at('b', '28T10:00:00', '28T11:00:00')]);
    const state = server.state();
    const until = '2026-11-28T10:00:00Z';
    const data = fromState({ ...state, snapshot: { series: {}, ...state.snapshot, truncated: true, until } }, null);
    if (!data) throw new Error('no data');
    expect(upcoming(data, NOW, { ...ask, days: 1 })).not.toBeNull();
    expect(upcoming(data, NOW, { ...ask, days: 3 })).toBeNull();
  });

  it('equal a scan of all events, for any zone', () => {
    const hour = fc.integer({ min: -48, max: 24 * 30 });
    const event = fc.record({ id: fc.uuid(), start: hour, length: fc.nat(72), allDay: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event), fc.constantFrom('UTC', 'Pacific/Auckland', 'America/Los_Angeles'), (made, zone) => {
        const events = made.map(({ id, start, length, allDay }) => {
          const [from, to] = [NOW + start * 3_600_000, NOW + (start + length) * 3_600_000];
          if (!allDay) return anEvent({ id, start: iso(from), end: iso(to) });
          return anEvent({ id, allDay, start: dateAt('UTC', from), end: addDays(dateAt('UTC', to), 1) });
        });
        const data = known(...events);
        const found = eventsWithin(data, daysWindow(NOW, 3, zone), zone);
        const to = dayEnd(zone, addDays(dateAt(zone, NOW), 3));
        const expected = events.filter((event) => {
          const start = event.allDay ? dayStart(zone, event.start) : Date.parse(event.start);
          const end = event.allDay ? dayStart(zone, event.end) : Date.parse(event.end);
          return start < to && (end > NOW || (start === end && start >= NOW));
        });
        expect(new Set(ids(found))).toEqual(new Set(ids(expected)));
      }),
    );
  });
});
