import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, render } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import * as leaving from '../src/core/navigate.js';
import {
  takeConnectOutcome,
  useCalendars,
  useConnect,
  useSyncActivity,
  useSyncStatus,
  useUpcomingEvents,
} from '../src/react.js';
import { during, fakeStackPerTest, pass, provided, renderHookIn } from './rendering.js';

const fake = fakeStackPerTest();

describe('useCalendars', () => {
  it('shows a selection at once, and reverts it on failure', async () => {
    const hook = renderHookIn(() => useCalendars());
    await pass();
    const selected = () => hook.last.calendars.map(({ selected }) => selected);
    expect(selected()).toEqual([true]);
    const open = fake.stack.hold();
    act(() => void hook.last.select(['work'], false));
    await pass();
    expect(selected()).toEqual([false]);
    open();
    await pass();
    expect(selected()).toEqual([false]);
    expect(fake.stack.user('alice').unselected.has('work')).toBe(true);

    fake.stack.failing.set('calendar.google.selectCalendars', 'INTERNAL_SERVER_ERROR');
    await during(() => hook.last.select(['work'], true));
    await pass();
    expect(selected()).toEqual([false]);
    expect(hook.last.error).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', retryable: true });
    expect(hook.last.error?.message).toMatch(/problem right now/);
  });

  it('reloads when the server announces a changed list', async () => {
    const hook = renderHookIn(() => useCalendars());
    await pass();
    const server = fake.stack.user('alice');
    server.calendars.set('home', new Map());
    fake.stack.publish('alice', server.message({ type: 'calendars.changed' }));
    await pass();
    expect(hook.last.calendars.map(({ id }) => id)).toEqual(['work', 'home']);
  });
});

describe('the other hooks', () => {
  it('useSyncStatus reports freshness and requests a pull', async () => {
    const hook = renderHookIn(() => useSyncStatus());
    await pass();
    expect(hook.last).toMatchObject({ pushAvailable: true, connected: true, mode: 'push', isLoading: false });
    const before = fake.stack.calls.length;
    fake.change('alice', 'a');
    await pass();
    expect(hook.last.asOf).toBe(fake.stack.user('alice').freshness[0]?.asOf);
    expect(fake.stack.calls).toHaveLength(before);
    await during(() => hook.last.syncNow(['work']));
    expect(fake.stack.calls.at(-1)).toMatchObject({
      path: 'calendar.google.syncNow',
      input: { calendarIds: ['work'] },
    });
  });

  it('useSyncActivity reloads every five seconds and on each message', async () => {
    renderHookIn(() => useSyncActivity());
    await pass(20);
    const asked = () => fake.stack.callsTo('calendar.google.getSyncActivity').length;
    expect(asked()).toBe(1);
    await pass(5_000);
    expect(asked()).toBe(2);
    fake.change('alice', 'a');
    await pass(50);
    expect(asked()).toBe(3);
  });

  it('useConnect opens the consent page and returns here', async () => {
    const navigate = vi.spyOn(leaving, 'navigate').mockImplementation(() => undefined);
    window.history.replaceState(null, '', '/settings?tab=calendar&calwire=denied#top');
    const hook = renderHookIn(() => useConnect());
    await pass();
    await during(() => hook.last.connect());
    expect(fake.stack.callsTo('calendar.google.connect')).toMatchObject([
      { input: { returnTo: '/settings?tab=calendar#top' }, credentials: 'include' },
    ]);
    expect(navigate).toHaveBeenCalledExactlyOnceWith('https://accounts.google.test/consent');
    expect(hook.last.isPending).toBe(true);
  });

  it.each([
    ['?calwire=connected&tab=1', { status: 'connected', reasons: [] }],
    [
      '?calwire=connected&calwire_reason=calendar_off&calwire_reason=other_account&tab=1',
      { status: 'connected', reasons: ['calendar_off', 'other_account'] },
    ],
    ['?tab=1&calwire=error&calwire_reason=misconfigured', { status: 'error', reasons: ['misconfigured'] }],
    ['?tab=1&calwire=else', null],
    ['?tab=1', null],
  ])('takeConnectOutcome reads %s, and removes it', (query, outcome) => {
    window.history.replaceState(null, '', `/settings${query}#top`);
    expect(takeConnectOutcome()).toEqual(outcome);
    expect(window.location.pathname + window.location.search + window.location.hash).toBe('/settings?tab=1#top');
    expect(takeConnectOutcome()).toBeNull();
  });

  it('useConnect can open the consent page again after a cancellation', async () => {
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
    // Restored from the back/forward cache.
    dispatchEvent(new Event('pageshow'));
    await pass();
    expect(hook.last.isPending).toBe(false);
  });

  it.each([
    ['is too long', `/settings?filter=${'x'.repeat(500)}`, '/settings'],
    ['has an encoded slash', '/files/a%2Fb?tab=calendar', undefined],
    ['has a line break in the query', '/notes?text=a%0Ab#top', '/notes'],
    ['has a backslash in the fragment', '/notes#a\\b', '/notes'],
    ['is unusual but accepted', '/caf%C3%A9/x;y=1?next=%2Fhome#/inner//x', '/caf%C3%A9/x;y=1?next=%2Fhome#/inner//x'],
  ])('useConnect returns to an accepted path if the address %s', async (_, address, returnTo) => {
    vi.spyOn(leaving, 'navigate').mockImplementation(() => undefined);
    window.history.replaceState(null, '', address);
    const hook = renderHookIn(() => useConnect());
    await pass();
    await during(() => hook.last.connect());
    expect(fake.stack.callsTo('calendar.google.connect').map(({ input }) => input)).toEqual([
      returnTo === undefined ? {} : { returnTo },
    ]);
  });

  it('useConnect disconnects, and reports a failure', async () => {
    const hook = renderHookIn(() => ({ ...useConnect(), connected: useUpcomingEvents().connected }));
    await pass();
    expect(hook.last.connected).toBe(true);
    fake.stack.failing.set('calendar.google.disconnect', 'FORBIDDEN');
    await during(() => hook.last.disconnect());
    expect(hook.last).toMatchObject({ connected: true, isPending: false, error: { code: 'FORBIDDEN' } });
    fake.stack.failing.clear();
    await during(() => hook.last.disconnect('connection'));
    await pass();
    expect(hook.last).toMatchObject({ connected: false, error: null });
  });

  it("use the application's query client if there is one", async () => {
    const client = new QueryClient();
    const Probe = () => useCalendars().calendars.length;
    render(<QueryClientProvider client={client}>{provided(<Probe />)}</QueryClientProvider>);
    await pass();
    expect(client.getQueryData(['calwire', 'alice', 'calendars'])).toMatchObject({ connected: true });
  });
});
