import { render } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { useEvents, useUpcomingEvents } from '../src/react.js';
import { DAY, iso } from './model-server.js';
import { fakeStackPerTest, NOW, pass, renderHookIn, titles } from './rendering.js';

const fake = fakeStackPerTest();

describe('useUpcomingEvents', () => {
  it('shows events, then each change without a request', async () => {
    fake.write('alice', 'first');
    const hook = renderHookIn(() => useUpcomingEvents());
    expect(hook.last).toMatchObject({ events: [], isLoading: true, live: 'connecting', fromSnapshot: false });
    await pass();
    expect(hook.last).toMatchObject({ isLoading: false, live: 'live', mode: 'push', connected: true, error: null });
    expect(titles(hook.last)).toEqual(['first']);
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(1);

    const before = fake.stack.calls.length;
    fake.change('alice', 'first', { title: 'renamed' });
    fake.change('alice', 'second', { start: '2026-11-24T12:00:00Z', end: '2026-11-24T13:00:00Z' });
    await pass();
    expect(titles(hook.last)).toEqual(['renamed', 'second']);
    expect(hook.last.asOf).toBe(fake.stack.user('alice').freshness[0]?.asOf);
    fake.stack.publish('alice', fake.stack.user('alice').change('work', 'first', []));
    await pass();
    expect(titles(hook.last)).toEqual(['second']);
    expect(fake.stack.calls).toHaveLength(before);
  });

  it('renders once for twenty messages', async () => {
    const hook = renderHookIn(() => useUpcomingEvents({ maxResults: 50 }));
    await pass();
    const before = hook.results.length;
    for (let i = 0; i < 20; i += 1) fake.change('alice', `event-${i}`);
    await pass();
    expect(hook.last.events).toHaveLength(20);
    expect(hook.results.length - before).toBe(1);
  });

  it('replaces an ended event by the clock alone', async () => {
    fake.write('alice', 'running', { start: iso(NOW - 60_000), end: iso(NOW + 60_000) });
    fake.write('alice', 'next', { start: iso(NOW), end: iso(NOW + 3_600_000) });
    const hook = renderHookIn(() => useUpcomingEvents({ maxResults: 1 }));
    await pass();
    expect(titles(hook.last)).toEqual(['running']);
    expect(hook.last.truncated).toBe(true);
    const before = fake.stack.calls.length;
    await pass(60_000);
    expect(titles(hook.last)).toEqual(['next']);
    expect(fake.stack.calls).toHaveLength(before);
  });

  it('does not show an event that ended before its message', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(20 * 60_000);
    fake.change('alice', 'short', { start: iso(NOW + 60_000), end: iso(NOW + 120_000) });
    await pass();
    expect(hook.last.asOf).toBe(fake.stack.user('alice').freshness[0]?.asOf);
    expect(hook.results.flatMap(titles)).toEqual([]);
  });

  it('loads days beyond the window, and reloads on changes', async () => {
    fake.write('alice', 'far', { start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 1) });
    fake.write('alice', 'near');
    const hook = renderHookIn(() => useUpcomingEvents({ days: 200, timeZone: 'Asia/Kathmandu' }));
    await pass();
    expect(titles(hook.last)).toEqual(['far', 'near']);
    const path = 'calendar.google.getUpcomingEvents';
    expect(fake.stack.callsTo(path).map(({ input }) => input)).toEqual([
      { days: 200, maxResults: 10, timeZone: 'Asia/Kathmandu' },
    ]);
    fake.change('alice', 'near', { title: 'renamed' });
    await pass();
    expect(titles(hook.last)).toEqual(['far', 'renamed']);
    expect(fake.stack.callsTo(path)).toHaveLength(2);
  });

  it('requests nothing while signed out', async () => {
    const hook = renderHookIn(() => useUpcomingEvents(), { userId: null });
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', isLoading: false, events: [], error: null });
    expect(fake.stack.calls).toHaveLength(0);
    expect(fake.stack.sockets).toHaveLength(0);
  });

  it('reports that no account is connected', async () => {
    fake.stack.user('alice').connected = false;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    expect(hook.last).toMatchObject({ connected: false, hasCalendarAccess: false, isLoading: false, events: [] });
  });

  it('needs a provider', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const Probe = () => useUpcomingEvents().events.length;
    expect(() => render(<Probe />)).toThrow('<CalwireProvider>');
  });
});

describe('useEvents', () => {
  it('knows the weeks around today and loads others once', async () => {
    fake.write('alice', 'near');
    fake.write('alice', 'far', { start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 3_600_000) });
    let from = '2026-11-23';
    let to = '2026-11-30';
    const hook = renderHookIn(() => useEvents({ from, to, timeZone: 'UTC' }));
    await pass();
    expect(titles(hook.last)).toEqual(['near']);
    expect(fake.stack.callsTo('calendar.google.getEvents')).toHaveLength(0);
    from = '2027-03-01';
    to = '2027-04-01';
    hook.rerender();
    expect(hook.last).toMatchObject({ events: [], isLoading: true });
    await pass();
    expect(titles(hook.last)).toEqual(['far']);
    expect(fake.stack.callsTo('calendar.google.getEvents').map(({ input }) => input)).toEqual([
      { from: '2027-03-01T00:00:00.000Z', to: '2027-04-01T00:00:00.000Z', timeZone: 'UTC' },
    ]);
    fake.change('alice', 'far', {
      title: 'renamed',
      start: iso(NOW + 100 * DAY),
      end: iso(NOW + 100 * DAY + 3_600_000),
    });
    await pass();
    expect(titles(hook.last)).toEqual(['renamed']);
  });

  it('shows the known part of a range while loading', async () => {
    fake.write('alice', 'known', { start: iso(NOW + 30 * DAY), end: iso(NOW + 30 * DAY + 3_600_000) });
    fake.write('alice', 'unknown', { start: iso(NOW + 50 * DAY), end: iso(NOW + 50 * DAY + 3_600_000) });
    let from = iso(NOW);
    const hook = renderHookIn(() => useEvents({ from, to: iso(NOW + 60 * DAY) }));
    await pass(20);
    const open = fake.stack.hold();
    from = iso(NOW + DAY);
    hook.rerender();
    await pass();
    expect(titles(hook.last)).toContain('known');
    expect(hook.last.isLoading).toBe(false);
    open();
    await pass();
    expect(titles(hook.last)).toEqual(['known', 'unknown']);
  });

  it('repeats a first load during which a change arrived', async () => {
    let range = { from: '2026-11-24', to: '2026-11-25', timeZone: 'UTC' };
    const hook = renderHookIn(() => useEvents(range));
    await pass();
    const respond = fake.stack.hold();
    range = { from: '2027-03-01', to: '2027-04-01', timeZone: 'UTC' };
    hook.rerender();
    await pass();
    expect(hook.last.isLoading).toBe(true);
    fake.change('alice', 'far', { start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 3_600_000) });
    await pass();
    respond();
    await pass();
    expect(titles(hook.last)).toEqual(['far']);
  });

  it('loads as many calendars as the server allows', async () => {
    const calendarIds = Array.from({ length: 100 }, (_, i) => `01940000-0000-7000-8000-${String(i).padStart(12, '0')}`);
    const range = { from: iso(NOW + 100 * DAY), to: iso(NOW + 107 * DAY) };
    const hook = renderHookIn(() => [useEvents({ ...range, calendarIds }), useEvents(range)] as const);
    await pass();
    expect(hook.last.map(({ error }) => error)).toEqual([null, null]);
    const calls = fake.stack.callsTo('calendar.google.getEvents');
    expect(calls.map(({ method, input }) => [method, (input as { calendarIds?: string[] }).calendarIds])).toEqual(
      expect.arrayContaining([
        ['GET', undefined],
        ['POST', calendarIds],
      ]),
    );
  });

  it('rejects an empty range', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(() => renderHookIn(() => useEvents({ from: '2026-11-24', to: '2026-11-24' }))).toThrow(RangeError);
  });
});
