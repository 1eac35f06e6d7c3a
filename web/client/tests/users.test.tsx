import { act, render } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import {
  CalwireProvider,
  useCalendars,
  useCalwire,
  useEventEditor,
  useEvents,
  useUpcomingEvents,
} from '../src/react.js';
import { API_URL, tokenOf, WS_URL } from './fake-stack.js';
import { DAY, iso } from './model-server.js';
import { during, fakeStackPerTest, hide, NOW, pass, renderHookIn, titles } from './rendering.js';

const fake = fakeStackPerTest();

describe('users', () => {
  it("never see each other's data, not for one render", async () => {
    fake.write('alice', "alice's");
    fake.write('bob', "bob's");
    const hook = renderHookIn(() => ({
      upcoming: useUpcomingEvents(),
      far: useEvents({ from: iso(NOW), to: iso(NOW + 300 * DAY) }),
      calendars: useCalendars(),
      userId: useCalwire().userId,
    }));
    await pass();
    expect(titles(hook.last.upcoming)).toEqual(["alice's"]);
    expect(titles(hook.last.far)).toEqual(["alice's"]);
    const before = hook.results.length;
    hook.rerender({ userId: 'bob' });
    expect(hook.results[before]).toMatchObject({
      userId: 'bob',
      upcoming: { events: [], isLoading: true },
      far: { events: [], isLoading: true },
      calendars: { calendars: [], isLoading: true },
    });
    await pass();
    const seen = hook.results.slice(before).flatMap(({ upcoming, far }) => [...titles(upcoming), ...titles(far)]);
    expect(new Set(seen)).toEqual(new Set(["bob's"]));
    await pass(5_000);
    expect(fake.stack.openSockets.map(({ userId }) => userId)).toEqual(['bob']);
    // A late message for the first user is ignored.
    fake.change('alice', 'late');
    await pass();
    expect(titles(hook.last.upcoming)).toEqual(["bob's"]);
    expect(fake.stack.calls.filter(({ userId }) => userId === 'alice').length).toBeGreaterThan(0);
  });

  it("get nothing with another user's token", async () => {
    fake.write('bob', "bob's");
    const hook = renderHookIn(() => useUpcomingEvents(), { getAuthToken: () => tokenOf('bob') });
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', events: [], error: { code: 'UNAUTHORIZED' } });
    expect(fake.stack.calls).toEqual([]);
  });

  it('are recognized by their tokens', async () => {
    fake.write('alice', "alice's");
    fake.write('bob', "bob's");
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

  it('have their pending deletion sent when the user changes', async () => {
    for (const next of ['bob', null, 'no provider']) {
      fake.write('alice', 'gone');
      let token: string | null = tokenOf('alice');
      const getAuthToken = () => token;
      const hook = renderHookIn(() => ({ ...useUpcomingEvents(), ...useEventEditor() }), { getAuthToken });
      await pass();
      const [event] = hook.last.events;
      act(() => void (event && hook.last.remove(event)));
      await pass();
      expect(fake.stack.callsTo('calendar.google.deleteEvent')).toEqual([]);
      token = next === 'bob' ? tokenOf('bob') : null;
      if (next === 'no provider') hook.unmount();
      else hook.rerender({ userId: next, getAuthToken });
      await pass();
      const calls = fake.stack.callsTo('calendar.google.deleteEvent');
      expect(calls).toContainEqual(expect.objectContaining({ userId: 'alice', method: 'POST' }));
      expect(new Set(calls.map(({ input }) => (input as { idempotencyKey: string }).idempotencyKey)).size).toBe(1);
      expect(fake.stack.user('alice').events).toEqual([]);
      fake.stack.calls.length = 0;
      hook.unmount();
      await pass(2_000);
    }
  });

  it('leave no data and no activity after signing out', async () => {
    fake.write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const hook = renderHookIn(useProbe);
    await pass(3_000);
    await during(() => hook.last.signOut());
    await pass();
    expect(hook.last).toMatchObject({ events: [], live: 'signedOut', userId: null, isLoading: false });
    const before = fake.stack.calls.length;
    fake.change('alice', 'more');
    await pass(300_000);
    expect(fake.stack.calls).toHaveLength(before);
    expect(fake.stack.openSockets).toHaveLength(0);
    expect(fake.stack.sockets).toHaveLength(1);
    hook.unmount();
    fake.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.results.flatMap(titles)).toEqual([]);
  });

  it('sign out in all tabs, and none saves data again', async () => {
    fake.write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const [here, there] = [renderHookIn(useProbe), renderHookIn(useProbe)];
    await pass(3_000);
    expect(titles(there.last)).toEqual(['private']);
    await during(() => here.last.signOut());
    fake.change('alice', 'more');
    await pass(3_000);
    expect(there.last).toMatchObject({ events: [], live: 'signedOut' });
    expect(fake.stack.openSockets).toHaveLength(0);
    here.unmount();
    there.unmount();
    fake.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.results.flatMap(titles)).toEqual([]);
  });

  it('stay signed in elsewhere when one tab switches users', async () => {
    fake.write('alice', 'private');
    const useProbe = () => ({ ...useUpcomingEvents(), ...useCalwire() });
    const here = renderHookIn(useProbe);
    const there = renderHookIn(useProbe);
    await pass(3_000);
    here.rerender({ userId: 'bob' });
    await pass(3_000);
    fake.change('alice', 'more');
    await pass(3_000);
    expect(titles(there.last)).toEqual(['more', 'private']);
    there.unmount();
    fake.stack.apiUp = false;
    const again = renderHookIn(useProbe);
    await pass(500);
    expect(again.results.flatMap(titles)).toEqual([]);
  });

  it('can retry in another tab after signing out', async () => {
    fake.write('alice', 'private');
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
  it('is shown before any network, then replaced by current data', async () => {
    fake.write('alice', 'before');
    const first = renderHookIn(() => [useUpcomingEvents(), useCalendars()] as const);
    await pass(3_000);
    first.unmount();
    await pass(3_000);
    fake.change('alice', 'before', { title: 'after' });
    const open = fake.stack.hold();
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

  it('is completed by the messages since then, not loaded again', async () => {
    fake.write('alice', 'kept');
    const first = renderHookIn(() => useUpcomingEvents());
    await pass(3_000);
    first.unmount();
    await pass(3_000);
    fake.change('alice', 'new');
    const calls = fake.stack.callsTo('realtime.getState').length;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    expect(titles(hook.last)).toEqual(['kept', 'new']);
    expect(hook.last.fromSnapshot).toBe(false);
    const { streamEpoch, window } = fake.stack.user('alice');
    const inputs = fake.stack.callsTo('realtime.getState').slice(calls);
    expect(inputs.map(({ input }) => input)).toEqual([{ live: true, held: { streamEpoch, seq: 0, window } }]);
    expect(hook.last.events[0]).toBe(hook.results.find(({ events }) => events.length > 0)?.events[0]);
  });

  it('is deleted when another user signs in', async () => {
    fake.write('alice', 'private');
    for (const userId of ['alice', 'bob']) {
      const visit = renderHookIn(() => useUpcomingEvents(), { userId });
      await pass(3_000);
      visit.unmount();
      await pass(3_000);
    }
    fake.stack.apiUp = false;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(500);
    expect(hook.results.flatMap(titles)).toEqual([]);
  });

  it('is optional, and a broken IndexedDB is no error', async () => {
    fake.write('alice', 'private');
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
