import { act, render } from '@testing-library/react';
import { StrictMode } from 'react';
import { describe, expect, it, vi } from 'vitest';

import { useCalendars, useCalwire, useCentrifugo, useEvents, useSyncStatus, useUpcomingEvents } from '../src/react.js';
import { anEvent, DAY } from './model-server.js';
import { fakeStackPerTest, hide, pass, provided, renderHookIn, titles } from './rendering.js';

const fake = fakeStackPerTest();

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

  it('is one, with one subscription, even in StrictMode', async () => {
    const view = render(<StrictMode>{provided(<Five />)}</StrictMode>);
    await pass();
    expect(view.container.textContent).toBe('live,live,live');
    await pass(5_000);
    expect(fake.stack.sockets).toHaveLength(1);
    expect(fake.stack.subscribed).toEqual(['calendar:alice']);
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(1);
    expect(fake.stack.callsTo('realtime.getConnectionToken')).toHaveLength(1);
    view.unmount();
    await pass(2_000);
    expect(fake.stack.openSockets).toHaveLength(0);
    await pass(120_000);
    expect(fake.stack.sockets).toHaveLength(1);
  });

  it.each(['INTERNAL_SERVER_ERROR', null])('stops all activity after the last unmount (%s)', async (code) => {
    if (code) fake.stack.failing.set('realtime.getState', code);
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(500);
    hook.unmount();
    await pass(2_000);
    const before = fake.stack.calls.length;
    await pass(600_000);
    await pass(2 * DAY);
    expect(fake.stack.calls).toHaveLength(before);
  });

  it('recovers after a break without a load', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    fake.stack.breakSockets();
    fake.change('alice', 'missed');
    await pass(2_500);
    expect(titles(hook.last)).toEqual(['missed']);
    expect(hook.last.live).toBe('live');
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(1);
  });

  it('loads one snapshot when the broker lost its history', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    fake.write('alice', 'missed');
    fake.stack.user('alice').seq += 3;
    fake.stack.user('alice').restartBroker();
    fake.stack.breakSockets();
    await pass(3_500);
    expect(titles(hook.last)).toEqual(['missed']);
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(2);
  });

  it('loads one snapshot after a gap', async () => {
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass();
    fake.stack.user('alice').change('work', 'lost', [anEvent({ id: 'lost' })]);
    fake.change('alice', 'heard');
    fake.change('alice', 'again');
    await pass();
    expect(titles(hook.last)).toEqual(['again', 'heard', 'lost']);
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(2);
  });

  it('is replaced by snapshots while the broker is down', async () => {
    fake.stack.brokerUp = false;
    fake.write('alice', 'there');
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(100);
    expect(titles(hook.last)).toEqual(['there']);
    expect(hook.last).toMatchObject({ live: 'connecting', error: null, fromSnapshot: false });
    fake.stack.user('alice').change('work', 'later', [anEvent({ id: 'later' })]);
    await pass(40_000);
    expect(titles(hook.last)).toEqual(['later', 'there']);
    const before = fake.stack.callsTo('realtime.getState').length;
    hide(true);
    await pass(120_000);
    expect(fake.stack.callsTo('realtime.getState')).toHaveLength(before);

    fake.stack.brokerUp = true;
    hide(false);
    await pass(25_000);
    expect(hook.last.live).toBe('live');
    fake.change('alice', 'there', { title: 'renamed' });
    await pass();
    expect(titles(hook.last)).toEqual(['later', 'renamed']);
  });

  it('is offline without an answer, and recovers by itself', async () => {
    fake.stack.apiUp = false;
    fake.stack.brokerUp = false;
    const hook = renderHookIn(() => useUpcomingEvents());
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'offline', isLoading: false });
    expect(hook.last.error).toMatchObject({ code: 'NETWORK', retryable: true });
    fake.write('alice', 'there');
    fake.stack.apiUp = true;
    fake.stack.brokerUp = true;
    await pass(60_000);
    expect(hook.last).toMatchObject({ live: 'live', error: null });
    expect(titles(hook.last)).toEqual(['there']);
  });

  it('reconnects at once when the page becomes visible again', async () => {
    const hook = renderHookIn(() => useCalwire());
    await pass();
    hide(true);
    await pass(20_000);
    hide(false);
    await pass(100);
    expect(fake.stack.sockets).toHaveLength(1);
    hide(true);
    await pass(31_000);
    hide(false);
    await pass(100);
    expect(fake.stack.sockets).toHaveLength(2);
    expect(fake.stack.openSockets).toHaveLength(1);
    // A short break is not shown.
    expect(new Set(hook.results.map(({ live }) => live))).toEqual(new Set(['connecting', 'live']));
  });

  it('stops when the user is rejected, until retry is called', async () => {
    fake.stack.rejected.add('alice');
    const hook = renderHookIn(() => ({ ...useUpcomingEvents(), retry: useCalwire().retry }));
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'signedOut', isLoading: false });
    expect(hook.last.error?.code).toBe('UNAUTHORIZED');
    const before = fake.stack.calls.length;
    await pass(300_000);
    expect(fake.stack.calls).toHaveLength(before);
    expect(fake.stack.sockets.length).toBeLessThanOrEqual(1);
    fake.stack.rejected.clear();
    act(() => hook.last.retry());
    await pass(1_000);
    expect(hook.last).toMatchObject({ live: 'live', error: null });
  });
});

describe('useCentrifugo', () => {
  it('shares a subscription, and survives a handler that throws', async () => {
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
    expect(fake.stack.subscribed.filter((channel) => channel === 'news')).toHaveLength(1);
    expect(getToken).toHaveBeenCalledExactlyOnceWith('news');
    fake.stack.sockets[0]?.push('news', { offset: 1, data: 'one' });
    await pass();
    prefix = 'b';
    hook.rerender();
    fake.stack.sockets[0]?.push('news', { offset: 2, data: 'two' });
    await pass();
    expect(heard).toEqual(['a one 1', 'b two 2']);
    expect(reported).toHaveBeenCalledTimes(2);
    expect(fake.stack.sockets).toHaveLength(1);
  });

  it('unsubscribes when the channel is set to null', async () => {
    let channel: string | null = null;
    const hook = renderHookIn(() => useCentrifugo(channel, () => undefined));
    await pass();
    expect(hook.last.state).toBe('live');
    channel = 'news';
    hook.rerender();
    await pass();
    expect(fake.stack.sockets[0]?.channels.has('news')).toBe(true);
    channel = null;
    hook.rerender();
    await pass(2_000);
    expect(fake.stack.sockets[0]?.channels.has('news')).toBe(false);
    expect(fake.stack.openSockets).toHaveLength(1);
  });

  it('reports a rejected channel, and tries again on retry', async () => {
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
