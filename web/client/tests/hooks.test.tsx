import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, render } from '@testing-library/react';
import { StrictMode } from 'react';
import { describe, expect, it, vi } from 'vitest';

import * as leaving from '../src/core/navigate.js';
import {
  CalwireProvider,
  useCalendars,
  useCalwire,
  useCentrifugo,
  useConnect,
  useEventEditor,
  useEvents,
  useSyncActivity,
  useSyncStatus,
  useUpcomingEvents,
} from '../src/react.js';
import type { Event } from '../src/generated/types.js';
import { API_URL, tokenOf, WS_URL } from './fake-stack.js';
import { anEvent, DAY, iso } from './model-server.js';
import { during, hide, NOW, pass, provided, renderHookIn, fakeStackPerTest } from './rendering.js';

const made = fakeStackPerTest();

function write(userId: string, id: string, given: Partial<Event> = {}): void {
  made.stack.user(userId).write('work', id, [anEvent({ id, ...given })]);
}

function change(userId: string, id: string, given: Partial<Event> = {}): void {
  const message = made.stack.user(userId).change('work', id, [anEvent({ id, ...given })]);
  made.stack.publish(userId, message);
}

const titles = ({ events }: { events: Event[] }) => events.map(({ title }) => title);

describe('useUpcomingEvents', () => {
  it('shows what there is, and then each change without a request', async () => {
    write('alice', 'first');
    const hook = renderHookIn(() => useUpcomingEvents());
    expect(hook.last).toMatchObject({ events: [], isLoading: true, live: 'connecting', fromSnapshot: false });
    await pass();
    expect(hook.last).toMatchObject({ isLoading: false, live: 'live', mode: 'push', connected: true, error: null });
    expect(titles(hook.last)).toEqual(['first']);
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(1);

    const before = made.stack.calls.length;
    change('alice', 'first', { title: 'renamed' });
    change('alice', 'second', { start: '2026-11-24T12:00:00Z', end: '2026-11-24T13:00:00Z' });
    await pass();
    expect(titles(hook.last)).toEqual(['renamed', 'second']);
    expect(hook.last.asOf).toBe(made.stack.user('alice').freshness[0]?.asOf);
    made.stack.publish('alice', made.stack.user('alice').change('work', 'first', []));
    await pass();
    expect(titles(hook.last)).toEqual(['second']);
    expect(made.stack.calls).toHaveLength(before);
  });

  it('renders once for twenty messages', async () => {
    const hook = renderHookIn(() => useUpcomingEvents({ maxResults: 50 }));
    await pass();
    const before = hook.answers.length;
    for (let i = 0; i < 20; i += 1) change('alice', `event-${i}`);
    await pass();
    expect(hook.last.events).toHaveLength(20);
    expect(hook.answers.length - before).toBe(1);
  });

  it('drops an event that ends and takes the next one in, by the clock alone', async () => {
    write('alice', 'running', { start: iso(NOW - 60_000), end: iso(NOW + 60_000) });
    write('alice', 'next', { start: iso(NOW), end: iso(NOW + 3_600_000) });
    const hook = renderHookIn(() => useUpcomingEvents({ maxResults: 1 }));
    await pass();
    expect(titles(hook.last)).toEqual(['running']);
    expect(hook.last.truncated).toBe(true);
    const before = made.stack.calls.length;
    await pass(60_000);
    expect(titles(hook.last)).toEqual(['next']);
    expect(made.stack.calls).toHaveLength(before);
  });

  it('does not show an event that was over before it was told of', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(20 * 60_000);
    change('alice', 'short', { start: iso(NOW + 60_000), end: iso(NOW + 120_000) });
    await pass();
    expect(hook.last.asOf).toBe(made.stack.user('alice').freshness[0]?.asOf);
    expect(hook.answers.flatMap(titles)).toEqual([]);
  });

  it('asks the server for days beyond the window, and again when something changes', async () => {
    write('alice', 'far', { start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 1) });
    write('alice', 'near');
    const hook = renderHookIn(() => useUpcomingEvents({ days: 200, timeZone: 'Asia/Kathmandu' }));
    await pass();
    expect(titles(hook.last)).toEqual(['far', 'near']);
    const path = 'calendar.google.getUpcomingEvents';
    expect(made.stack.callsTo(path).map(({ input }) => input)).toEqual([
      { days: 200, maxResults: 10, timeZone: 'Asia/Kathmandu' },
    ]);
    change('alice', 'near', { title: 'renamed' });
    await pass();
    expect(titles(hook.last)).toEqual(['far', 'renamed']);
    expect(made.stack.callsTo(path)).toHaveLength(2);
  });

  it('says that nobody is signed in, and asks for nothing', async () => {
    const hook = renderHookIn(() => useUpcomingEvents(), { userId: null });
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', isLoading: false, events: [], error: null });
    expect(made.stack.calls).toHaveLength(0);
    expect(made.stack.sockets).toHaveLength(0);
  });

  it('says that no account is connected', async () => {
    made.stack.user('alice').connected = false;
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
  it('knows the weeks around today, and asks for others once', async () => {
    write('alice', 'near');
    write('alice', 'far', { start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 3_600_000) });
    let from = '2026-11-23';
    let to = '2026-11-30';
    const hook = renderHookIn(() => useEvents({ from, to, timeZone: 'UTC' }));
    await pass();
    expect(titles(hook.last)).toEqual(['near']);
    expect(made.stack.callsTo('calendar.google.getEvents')).toHaveLength(0);
    from = '2027-03-01';
    to = '2027-04-01';
    hook.rerender();
    expect(hook.last).toMatchObject({ events: [], isLoading: true });
    await pass();
    expect(titles(hook.last)).toEqual(['far']);
    expect(made.stack.callsTo('calendar.google.getEvents').map(({ input }) => input)).toEqual([
      { from: '2027-03-01T00:00:00.000Z', to: '2027-04-01T00:00:00.000Z', timeZone: 'UTC' },
    ]);
    change('alice', 'far', { title: 'renamed', start: iso(NOW + 100 * DAY), end: iso(NOW + 100 * DAY + 3_600_000) });
    await pass();
    expect(titles(hook.last)).toEqual(['renamed']);
  });

  it('shows what is known of a range until the rest is there', async () => {
    write('alice', 'known', { start: iso(NOW + 30 * DAY), end: iso(NOW + 30 * DAY + 3_600_000) });
    write('alice', 'unknown', { start: iso(NOW + 50 * DAY), end: iso(NOW + 50 * DAY + 3_600_000) });
    let from = iso(NOW);
    const hook = renderHookIn(() => useEvents({ from, to: iso(NOW + 60 * DAY) }));
    await pass(20);
    const open = made.stack.hold();
    from = iso(NOW + DAY);
    hook.rerender();
    await pass();
    expect(titles(hook.last)).toContain('known');
    expect(hook.last.isLoading).toBe(false);
    open();
    await pass();
    expect(titles(hook.last)).toEqual(['known', 'unknown']);
  });

  it('asks for as many calendars as the server allows', async () => {
    const calendarIds = Array.from({ length: 100 }, (_, i) => `01940000-0000-7000-8000-${String(i).padStart(12, '0')}`);
    const range = { from: iso(NOW + 100 * DAY), to: iso(NOW + 107 * DAY) };
    const hook = renderHookIn(() => [useEvents({ ...range, calendarIds }), useEvents(range)] as const);
    await pass();
    expect(hook.last.map(({ error }) => error)).toEqual([null, null]);
    const calls = made.stack.callsTo('calendar.google.getEvents');
    expect(calls.map(({ method, input }) => [method, (input as { calendarIds?: string[] }).calendarIds])).toEqual(
      expect.arrayContaining([
        ['GET', undefined],
        ['POST', calendarIds],
      ]),
    );
  });

  it('refuses a range that is none', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(() => renderHookIn(() => useEvents({ from: '2026-11-24', to: '2026-11-24' }))).toThrow(RangeError);
  });
});

describe('the socket', () => {
  function Five(): string {
    const counts = [
      useUpcomingEvents(),
      useUpcomingEvents({ days: 7 }),
      useEvents({ from: '2026-11-24', to: '2026-12-01' }),
    ];
    useCalendars();
    useSyncStatus();
    useCentrifugo('calendar:alice', () => undefined);
    return counts.map(({ live }) => live).join();
  }

  it('is one, with one subscription, in StrictMode too', async () => {
    const view = render(<StrictMode>{provided(<Five />)}</StrictMode>);
    await pass();
    expect(view.container.textContent).toBe('live,live,live');
    await pass(5_000);
    expect(made.stack.sockets).toHaveLength(1);
    expect(made.stack.subscribed).toEqual(['calendar:alice']);
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(1);
    expect(made.stack.callsTo('realtime.getConnectionToken')).toHaveLength(1);
    view.unmount();
    await pass(2_000);
    expect(made.stack.openSockets).toHaveLength(0);
    await pass(120_000);
    expect(made.stack.sockets).toHaveLength(1);
  });

  it.each(['INTERNAL_SERVER_ERROR', null])('leaves nothing going on when nobody looks any more (%s)', async (code) => {
    if (code) made.stack.failing.set('realtime.getState', code);
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(500);
    hook.unmount();
    await pass(2_000);
    const before = made.stack.calls.length;
    await pass(600_000);
    await pass(2 * DAY);
    expect(made.stack.calls).toHaveLength(before);
  });

  it('goes on where it was after a break, and loads nothing', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    made.stack.breakSockets();
    change('alice', 'missed');
    await pass(2_500);
    expect(titles(hook.last)).toEqual(['missed']);
    expect(hook.last.live).toBe('live');
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(1);
  });

  it('loads the state once when the broker has forgotten what came meanwhile', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    write('alice', 'missed');
    made.stack.user('alice').seq += 3;
    made.stack.user('alice').restartBroker();
    made.stack.breakSockets();
    await pass(3_500);
    expect(titles(hook.last)).toEqual(['missed']);
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(2);
  });

  it('loads the state once after a gap', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    made.stack.user('alice').change('work', 'lost', [anEvent({ id: 'lost' })]);
    change('alice', 'heard');
    change('alice', 'again');
    await pass();
    expect(titles(hook.last)).toEqual(['again', 'heard', 'lost']);
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(2);
  });

  it('is not needed: without the broker, snapshots are loaded instead', async () => {
    made.stack.brokerUp = false;
    write('alice', 'there');
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(100);
    expect(titles(hook.last)).toEqual(['there']);
    expect(hook.last).toMatchObject({ live: 'connecting', error: null, fromSnapshot: false });
    made.stack.user('alice').change('work', 'later', [anEvent({ id: 'later' })]);
    await pass(40_000);
    expect(titles(hook.last)).toEqual(['later', 'there']);
    const before = made.stack.callsTo('realtime.getState').length;
    hide(true);
    await pass(120_000);
    expect(made.stack.callsTo('realtime.getState')).toHaveLength(before);

    made.stack.brokerUp = true;
    hide(false);
    await pass(25_000);
    expect(hook.last.live).toBe('live');
    change('alice', 'there', { title: 'renamed' });
    await pass();
    expect(titles(hook.last)).toEqual(['later', 'renamed']);
  });

  it('is offline when nobody answers, and comes back by itself', async () => {
    made.stack.apiUp = false;
    made.stack.brokerUp = false;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'offline', isLoading: false });
    expect(hook.last.error).toMatchObject({ code: 'NETWORK', retryable: true });
    write('alice', 'there');
    made.stack.apiUp = true;
    made.stack.brokerUp = true;
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'live', error: null });
    expect(titles(hook.last)).toEqual(['there']);
  });

  it('opens at once when the page comes back after a while', async () => {
    const hook = renderHookIn(() => useCalwire());
    await pass();
    hide(true);
    await pass(20_000);
    hide(false);
    await pass(100);
    expect(made.stack.sockets).toHaveLength(1);
    hide(true);
    await pass(31_000);
    hide(false);
    await pass(100);
    expect(made.stack.sockets).toHaveLength(2);
    expect(made.stack.openSockets).toHaveLength(1);
    // So short a break is not worth telling.
    expect(new Set(hook.answers.map(({ live }) => live))).toEqual(new Set(['connecting', 'live']));
  });

  it('ends without a retry when the user is refused, and begins again by hand', async () => {
    made.stack.refused.add('alice');
    const hook = renderHookIn(() => ({ ...useUpcomingEvents(), retry: useCalwire().retry }));
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', isLoading: false });
    expect(hook.last.error?.code).toBe('UNAUTHORIZED');
    const before = made.stack.calls.length;
    await pass(300_000);
    expect(made.stack.calls).toHaveLength(before);
    expect(made.stack.sockets.length).toBeLessThanOrEqual(1);
    made.stack.refused.clear();
    act(() => hook.last.retry());
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'live', error: null });
  });
});

describe('users', () => {
  it('never see anything of each other, not for one render', async () => {
    write('alice', "alice's");
    write('bob', "bob's");
    const hook = renderHookIn(() => ({
      upcoming: useUpcomingEvents(),
      far: useEvents({ from: iso(NOW), to: iso(NOW + 300 * DAY) }),
      calendars: useCalendars(),
      userId: useCalwire().userId,
    }));
    await pass();
    expect(titles(hook.last.upcoming)).toEqual(["alice's"]);
    expect(titles(hook.last.far)).toEqual(["alice's"]);
    const before = hook.answers.length;
    hook.rerender({ userId: 'bob' });
    expect(hook.answers[before]).toMatchObject({
      userId: 'bob',
      upcoming: { events: [], isLoading: true },
      far: { events: [], isLoading: true },
      calendars: { calendars: [], isLoading: true },
    });
    await pass();
    const seen = hook.answers.slice(before).flatMap(({ upcoming, far }) => [...titles(upcoming), ...titles(far)]);
    expect(new Set(seen)).toEqual(new Set(["bob's"]));
    await pass(5_000);
    expect(made.stack.openSockets.map(({ userId }) => userId)).toEqual(['bob']);
    // A late message for the first one goes nowhere.
    change('alice', 'late');
    await pass();
    expect(titles(hook.last.upcoming)).toEqual(["bob's"]);
    expect(made.stack.calls.filter(({ userId }) => userId === 'alice').length).toBeGreaterThan(0);
  });

  it("get nothing with another user's token", async () => {
    write('bob', "bob's");
    const hook = renderHookIn(() => useUpcomingEvents(), { getAuthToken: () => tokenOf('bob') });
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', events: [], error: { code: 'UNAUTHORIZED' } });
    expect(made.stack.calls).toEqual([]);
  });

  it('are known by their tokens too', async () => {
    write('alice', "alice's");
    write('bob', "bob's");
    let token: string | null = tokenOf('alice');
    const ask = { userId: undefined, getAuthToken: () => Promise.resolve(token) };
    const answers: { userId: string | null; titles: string[]; live: string }[] = [];
    function Probe(): null {
      const { userId, live } = useCalwire();
      answers.push({ userId, live, titles: titles(useUpcomingEvents()) });
      return null;
    }
    const tree = () => (
      <CalwireProvider apiUrl={API_URL} wsUrl={WS_URL} getAuthToken={ask.getAuthToken}>
        <Probe />
      </CalwireProvider>
    );
    render(tree());
    await pass();
    await pass();
    expect(answers[0]).toEqual({ userId: null, live: 'connecting', titles: [] });
    expect(answers.at(-1)).toEqual({ userId: 'alice', live: 'live', titles: ["alice's"] });
    token = tokenOf('bob');
    act(() => hide(false));
    await pass();
    await pass();
    expect(answers.at(-1)).toEqual({ userId: 'bob', live: 'live', titles: ["bob's"] });
    expect(answers.filter(({ userId, titles }) => userId === 'bob' && titles.includes("alice's"))).toEqual([]);
    token = null;
    act(() => hide(false));
    await pass();
    expect(answers.at(-1)).toEqual({ userId: null, live: 'signedOut', titles: [] });
  });

  it('delete what they meant to delete, though another one, or nobody, is signed in by then', async () => {
    for (const next of ['bob', null, 'no provider']) {
      write('alice', 'gone');
      let token: string | null = tokenOf('alice');
      const getAuthToken = () => token;
      const hook = renderHookIn(() => ({ ...useUpcomingEvents(), ...useEventEditor() }), { getAuthToken });
      await pass();
      const [event] = hook.last.events;
      act(() => void (event && hook.last.remove(event)));
      await pass();
      expect(made.stack.callsTo('calendar.google.deleteEvent')).toEqual([]);
      token = next === 'bob' ? tokenOf('bob') : null;
      if (next === 'no provider') hook.unmount();
      else hook.rerender({ userId: next, getAuthToken });
      await pass();
      const calls = made.stack.callsTo('calendar.google.deleteEvent');
      expect(calls).toContainEqual(expect.objectContaining({ userId: 'alice', method: 'POST' }));
      expect(new Set(calls.map(({ input }) => (input as { idempotencyKey: string }).idempotencyKey)).size).toBe(1);
      expect(made.stack.user('alice').events).toEqual([]);
      made.stack.calls.length = 0;
      hook.unmount();
      await pass(2_000);
    }
  });

  it('who sign out leave nothing behind, and nothing goes on', async () => {
    write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const hook = renderHookIn(useProbe);
    await pass(3_000);
    await during(() => hook.last.signOut());
    await pass();
    expect(hook.last).toMatchObject({ events: [], live: 'signedOut', userId: null, isLoading: false });
    const before = made.stack.calls.length;
    change('alice', 'more');
    await pass(300_000);
    expect(made.stack.calls).toHaveLength(before);
    expect(made.stack.openSockets).toHaveLength(0);
    expect(made.stack.sockets).toHaveLength(1);
    hook.unmount();
    made.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.answers.flatMap(titles)).toEqual([]);
  });

  it('who sign out in one page do so in all, and none of them writes anything back', async () => {
    write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const [here, there] = [renderHookIn(useProbe), renderHookIn(useProbe)];
    await pass(3_000);
    expect(titles(there.last)).toEqual(['private']);
    await during(() => here.last.signOut());
    change('alice', 'more');
    await pass(3_000);
    expect(there.last).toMatchObject({ events: [], live: 'signedOut' });
    expect(made.stack.openSockets).toHaveLength(0);
    here.unmount();
    there.unmount();
    made.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.answers.flatMap(titles)).toEqual([]);
  });

  it('who are followed by another user in one page go on in another, which writes nothing back', async () => {
    write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const here = renderHookIn(useProbe);
    const there = renderHookIn(useProbe);
    await pass(3_000);
    here.rerender({ userId: 'bob' });
    await pass(3_000);
    change('alice', 'more');
    await pass(3_000);
    expect(titles(there.last)).toEqual(['more', 'private']);
    there.unmount();
    made.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.answers.flatMap(titles)).toEqual([]);
  });

  it('who sign out in one page may begin anew in another', async () => {
    write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const [here, there] = [renderHookIn(useProbe), renderHookIn(useProbe)];
    await pass(3_000);
    await during(() => here.last.signOut());
    await pass();
    act(() => there.last.retry());
    await pass();
    expect(there.last).toMatchObject({ live: 'live', userId: 'alice' });
    expect(titles(there.last)).toEqual(['private']);
    expect(here.last.events).toEqual([]);
  });
});

describe('the last visit', () => {
  it('is shown before any network, and then what is there now', async () => {
    write('alice', 'before');
    const first = renderHookIn(() => [useUpcomingEvents(), useCalendars()] as const);
    await pass(3_000);
    first.unmount();
    await pass(3_000);
    write('alice', 'before', { title: 'after' });
    const open = made.stack.hold();
    const hook = renderHookIn(() => [useUpcomingEvents(), useCalendars()] as const);
    await pass(20);
    const [upcoming, { calendars, ...list }] = hook.last;
    expect(titles(upcoming)).toEqual(['before']);
    expect(upcoming).toMatchObject({ fromSnapshot: true, isLoading: false });
    expect(calendars.map(({ summary }) => summary)).toEqual(['work']);
    expect(list.fromSnapshot).toBe(true);
    open();
    await pass();
    expect(titles(hook.last[0])).toEqual(['after']);
    expect(hook.last[0].fromSnapshot).toBe(false);
  });

  it('of another user is gone when somebody else has signed in', async () => {
    write('alice', 'private');
    for (const userId of ['alice', 'bob']) {
      const visit = renderHookIn(() => useUpcomingEvents(), { userId });
      await pass(3_000);
      visit.unmount();
      await pass(3_000);
    }
    made.stack.apiUp = false;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(500);
    expect(hook.answers.flatMap(titles)).toEqual([]);
  });

  it('is not kept where that is not wanted, and a broken IndexedDB is no error', async () => {
    write('alice', 'private');
    const open = vi.spyOn(indexedDB, 'open');
    const without = renderHookIn(() => useUpcomingEvents(), { snapshot: false });
    await pass(3_000);
    expect(titles(without.last)).toEqual(['private']);
    expect(open).not.toHaveBeenCalled();
    without.unmount();
    await pass(3_000);
    open.mockImplementation(() => {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    });
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(3_000);
    expect(open).toHaveBeenCalled();
    expect(titles(hook.last)).toEqual(['private']);
    expect(hook.last.error).toBeNull();
  });
});

describe('useCentrifugo', () => {
  it('shares one subscription, calls the latest handler, and survives one that throws', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    const heard: string[] = [];
    let prefix = 'a';
    const getToken = vi.fn(() => Promise.resolve('news token'));
    const hook = renderHookIn(() => {
      useCentrifugo(
        'news',
        () => {
          throw new Error('broken');
        },
        { getToken },
      );
      return useCentrifugo<string>('news', (data, { offset }) => heard.push(`${prefix} ${data} ${offset}`), {
        getToken,
      });
    });
    await pass();
    expect(hook.last.state).toBe('live');
    expect(made.stack.subscribed.filter((channel) => channel === 'news')).toHaveLength(1);
    expect(getToken).toHaveBeenCalledExactlyOnceWith('news');
    made.stack.sockets[0]?.push('news', { offset: 1, data: 'one' });
    await pass();
    prefix = 'b';
    hook.rerender();
    made.stack.sockets[0]?.push('news', { offset: 2, data: 'two' });
    await pass();
    expect(heard).toEqual(['a one 1', 'b two 2']);
    expect(reported).toHaveBeenCalledTimes(2);
    expect(made.stack.sockets).toHaveLength(1);
  });

  it('listens on nothing when there is no channel, and leaves a channel that nobody wants', async () => {
    let channel: string | null = null;
    const hook = renderHookIn(() => useCentrifugo(channel, () => undefined));
    await pass();
    expect(hook.last.state).toBe('live');
    channel = 'news';
    hook.rerender();
    await pass();
    expect(made.stack.sockets[0]?.channels.has('news')).toBe(true);
    channel = null;
    hook.rerender();
    await pass(2_000);
    expect(made.stack.sockets[0]?.channels.has('news')).toBe(false);
    expect(made.stack.openSockets).toHaveLength(1);
  });

  it('says when a channel is refused, and tries again by hand', async () => {
    let allowed = false;
    const getToken = () => (allowed ? Promise.resolve('token') : Promise.resolve(''));
    const hook = renderHookIn(() => useCentrifugo('secret', () => undefined, { getToken }));
    await pass(60_000);
    expect(hook.last.state).toBe('signedOut');
    allowed = true;
    act(() => hook.last.retry());
    await pass();
    expect(hook.last).toMatchObject({ state: 'live', error: null });
  });
});

describe('useCalendars', () => {
  it('shows a selection at once, and takes it back when it fails', async () => {
    const hook = renderHookIn(() => useCalendars());
    await pass();
    const selected = () => hook.last.calendars.map(({ selected }) => selected);
    expect(selected()).toEqual([true]);
    const open = made.stack.hold();
    act(() => void hook.last.select(['work'], false));
    await pass();
    expect(selected()).toEqual([false]);
    open();
    await pass();
    expect(selected()).toEqual([false]);
    expect(made.stack.user('alice').unselected.has('work')).toBe(true);

    made.stack.failing.set('calendar.google.selectCalendars', 'INTERNAL_SERVER_ERROR');
    await during(() => hook.last.select(['work'], true));
    await pass();
    expect(selected()).toEqual([false]);
    expect(hook.last.error).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', retryable: true });
    expect(hook.last.error?.message).toMatch(/problem right now/);
  });

  it('is asked for again when the server says that the list has changed', async () => {
    const hook = renderHookIn(() => useCalendars());
    await pass();
    const server = made.stack.user('alice');
    server.calendars.set('home', new Map());
    made.stack.publish('alice', server.tell({ type: 'calendars.changed' }));
    await pass();
    expect(hook.last.calendars.map(({ id }) => id)).toEqual(['work', 'home']);
  });
});

describe('the other hooks', () => {
  it('tell how current everything is, and ask for a pull', async () => {
    const hook = renderHookIn(() => useSyncStatus());
    await pass();
    expect(hook.last).toMatchObject({ pushAvailable: true, connected: true, mode: 'push', isLoading: false });
    const before = made.stack.calls.length;
    change('alice', 'a');
    await pass();
    expect(hook.last.asOf).toBe(made.stack.user('alice').freshness[0]?.asOf);
    expect(made.stack.calls).toHaveLength(before);
    await during(() => hook.last.syncNow(['work']));
    expect(made.stack.calls.at(-1)).toMatchObject({
      path: 'calendar.google.syncNow',
      input: { calendarIds: ['work'] },
    });
  });

  it('look behind the scenes every five seconds, and with each message', async () => {
    renderHookIn(() => useSyncActivity());
    await pass(20);
    const asked = () => made.stack.callsTo('calendar.google.getSyncActivity').length;
    expect(asked()).toBe(1);
    await pass(5_000);
    expect(asked()).toBe(2);
    change('alice', 'a');
    await pass(50);
    expect(asked()).toBe(3);
  });

  it('leave for the consent page and come back here', async () => {
    const navigate = vi.spyOn(leaving, 'navigate').mockImplementation(() => undefined);
    window.history.replaceState(null, '', '/settings?tab=calendar&calwire=denied#top');
    const hook = renderHookIn(() => useConnect());
    await pass();
    await during(() => hook.last.connect());
    expect(made.stack.callsTo('calendar.google.connect')).toMatchObject([
      { input: { returnTo: '/settings?tab=calendar#top' }, credentials: 'include' },
    ]);
    expect(navigate).toHaveBeenCalledExactlyOnceWith('https://accounts.google.test/consent');
    expect(hook.last.isPending).toBe(true);
  });

  it('can leave once more when the person has stopped it, or come back', async () => {
    vi.spyOn(leaving, 'navigate').mockImplementation(() => undefined);
    const hook = renderHookIn(() => useConnect());
    await pass();
    await during(() => hook.last.connect());
    await pass(9_000);
    expect(hook.last.isPending).toBe(true);
    await pass(2_000);
    expect(hook.last.isPending).toBe(false);

    await during(() => hook.last.connect());
    expect(hook.last.isPending).toBe(true);
    // Out of the browser's cache of pages.
    dispatchEvent(new Event('pageshow'));
    await pass();
    expect(hook.last.isPending).toBe(false);
  });

  it.each([
    ['is too long', `/settings?filter=${'x'.repeat(500)}`, '/settings'],
    ['has a slash within a part', '/files/a%2Fb?tab=calendar', undefined],
    ['has a line break in its query', '/notes?text=a%0Ab#top', '/notes'],
    ['has a backslash in its fragment', '/notes#a\\b', '/notes'],
    ['is as odd as is taken', '/caf%C3%A9/x;y=1?next=%2Fhome#/inner//x', '/caf%C3%A9/x;y=1?next=%2Fhome#/inner//x'],
  ])('come back as near as the server leads when the page’s address %s', async (_, address, returnTo) => {
    vi.spyOn(leaving, 'navigate').mockImplementation(() => undefined);
    window.history.replaceState(null, '', address);
    const hook = renderHookIn(() => useConnect());
    await pass();
    await during(() => hook.last.connect());
    expect(made.stack.callsTo('calendar.google.connect').map(({ input }) => input)).toEqual([
      returnTo === undefined ? {} : { returnTo },
    ]);
  });

  it('disconnect, and say why something failed', async () => {
    const hook = renderHookIn(() => ({ ...useConnect(), connected: useUpcomingEvents().connected }));
    await pass();
    expect(hook.last.connected).toBe(true);
    made.stack.failing.set('calendar.google.disconnect', 'FORBIDDEN');
    await during(() => hook.last.disconnect());
    expect(hook.last).toMatchObject({ connected: true, isPending: false, error: { code: 'FORBIDDEN' } });
    made.stack.failing.clear();
    await during(() => hook.last.disconnect('connection'));
    await pass();
    expect(hook.last).toMatchObject({ connected: false, error: null });
  });

  it("use the application's query client where there is one", async () => {
    const client = new QueryClient();
    const Probe = () => useCalendars().calendars.length;
    render(<QueryClientProvider client={client}>{provided(<Probe />)}</QueryClientProvider>);
    await pass();
    expect(client.getQueryData(['calwire', 'alice', 'calendars'])).toMatchObject({ connected: true });
  });
});
