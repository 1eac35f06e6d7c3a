import { act, screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { seriesFrom } from '../../../tests/normal-form.js';
import { CalendarPicker } from './calendar-picker.js';
import { NextEventWidget } from './next-event-widget.js';
import { BERLIN, event, HOME, NOW, Server, show, tidy, WORK } from './testing.js';

let server: Server;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, shouldAdvanceTime: true });
  server = new Server();
  server.install();
});
afterEach(() => {
  tidy();
  localStorage.clear();
});

const widget = () => screen.getByRole('region', { name: 'Next event' });
const showWidget = (props: Parameters<typeof NextEventWidget>[0] = {}) => {
  show(<NextEventWidget {...BERLIN} {...props} />);
};

describe('NextEventWidget', () => {
  it('shows a skeleton while loading', async () => {
    showWidget();
    expect(widget()).toHaveProperty('ariaBusy', 'true');
    expect(within(widget()).getByText('Loading your calendar…')).toBeTruthy();
    await waitFor(() => {
      expect(widget().hasAttribute('aria-busy')).toBe(false);
    });
  });

  it('offers to connect, and passes on returnTo', async () => {
    server.connected = false;
    server.hasCalendarAccess = false;
    showWidget({ returnTo: '/dashboard' });
    const button = await screen.findByRole('button', { name: 'Connect Google Calendar' });
    vi.spyOn(server, 'answer').mockImplementation((path, input) => {
      server.calls.push({ path, input });
      return { url: 'http://localhost:8085/consent' };
    });
    act(() => {
      button.click();
    });
    await waitFor(() => {
      expect(server.inputsOf('calendar.google.connect')).toEqual([{ returnTo: '/dashboard' }]);
    });
  });

  it('explains missing calendar access', async () => {
    server.hasCalendarAccess = false;
    showWidget();
    expect(await screen.findByText('Calendar access is missing')).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Allow calendar access' })).toBeTruthy();
  });

  it('reports free days', async () => {
    showWidget({ days: 3 });
    expect(await screen.findByText('The next 3 days are free.')).toBeTruthy();
  });

  it('reports an unreachable server, and retries', async () => {
    server.down = true;
    showWidget();
    const retry = await screen.findByRole('button', { name: 'Try again' }, { timeout: 5_000 });
    expect(within(widget()).queryByRole('button', { name: /Connect/ })).toBeNull();
    server.down = false;
    server.events = [event({ id: 'e1' })];
    act(() => {
      retry.click();
    });
    expect(await screen.findByRole('heading', { name: 'Design review' })).toBeTruthy();
  });

  it('shows the event with its details and links', async () => {
    server.events = [
      event({
        id: 'e1',
        location: 'Room Ada',
        conferenceUrl: 'https://meet.google.com/abc',
        timeZone: 'America/Los_Angeles',
        description: '<p>Bring <b>numbers</b></p>',
      }),
    ];
    showWidget();
    expect(await screen.findByRole('heading', { name: 'Design review' })).toBeTruthy();
    const text = widget().textContent.replace(/[\u2009\u202F]/g, ' ');
    expect(text).toContain('Today');
    expect(text).toMatch(/13:00\s?–\s?13:30/);
    expect(text).toMatch(/04:00\s?–\s?04:30 in Los Angeles/);
    expect(text).toContain('Room Ada');
    expect(text).toContain('Bring numbers');
    expect(text).toContain('in 12 min');
    await waitFor(() => {
      expect(widget().textContent).toContain('Work');
    });
    const join = screen.getByRole('link', { name: /Join Google Meet/ });
    expect(join.getAttribute('href')).toBe('https://meet.google.com/abc');
    expect(join.getAttribute('rel')).toBe('noopener noreferrer');
    expect(screen.getByRole('link', { name: /Open in Google Calendar/ })).toBeTruthy();
  });

  it('counts down without requests', async () => {
    server.events = [event({ id: 'e1' })];
    showWidget();
    expect(await screen.findByText('in 12 min')).toBeTruthy();
    await screen.findByText('Live');
    const calls = server.calls.length;
    act(() => {
      vi.advanceTimersByTime(60_000);
    });
    expect(screen.getByText('in 11 min')).toBeTruthy();
    act(() => {
      vi.advanceTimersByTime(11 * 60_000);
    });
    expect(screen.getByText('now')).toBeTruthy();
    expect(widget().textContent).toContain('ends in 30 min');
    expect(server.calls).toHaveLength(calls);
  });

  it('finds the meeting behind sixty birthdays that the user hides', async () => {
    const day = (n: number) => `2026-11-${24 + n}`;
    const birthdays = Array.from({ length: 60 }, (_, i) => {
      const [start, end] = [day(i % 3), day((i % 3) + 1)];
      return event({ id: `b${i}`, title: 'Birthday', eventType: 'birthday', start, end, allDay: true, timeZone: null });
    });
    const meeting = event({ id: 'm', start: `${day(3)}T09:00:00Z`, end: `${day(3)}T10:00:00Z` });
    server.events = [...birthdays, meeting];
    show(
      <>
        <NextEventWidget {...BERLIN} />
        <CalendarPicker {...BERLIN} />
      </>,
    );
    expect(await screen.findByRole('heading', { name: 'Birthday' })).toBeTruthy();
    const shown = await screen.findByRole('checkbox', { name: 'Birthdays' });
    act(() => {
      shown.click();
    });
    expect(await screen.findByRole('heading', { name: 'Design review' })).toBeTruthy();
  });

  it('shows an all-day event, and counts today’s others', async () => {
    server.events = [
      event({ id: 'd1', title: 'Offsite', start: '2026-11-24', end: '2026-11-26', allDay: true, timeZone: null }),
      event({ id: 'd2', title: 'Holiday', start: '2026-11-24', end: '2026-11-25', allDay: true, timeZone: null }),
    ];
    showWidget();
    expect(await screen.findByRole('heading', { name: 'Offsite' })).toBeTruthy();
    expect(widget().textContent).toContain('All day');
    expect(widget().textContent).toContain('and 1 more today');
    expect(widget().textContent).not.toContain('00:00');
  });

  it('applies a message without a request, and announces it', async () => {
    server.events = [event({ id: 'e1' })];
    showWidget();
    await screen.findByText('Live');
    expect(within(widget()).getByRole('status').textContent).toBe('');
    const calls = server.calls.length;
    await server.publish({
      type: 'events.changed',
      calendarId: WORK,
      asOf: NOW.toISOString(),
      window: { from: '2026-11-17T00:00:00Z', to: '2027-01-05T00:00:00Z' },
      upserted: seriesFrom([event({ id: 'e1', title: 'Design review, moved', etag: '"2"' })]),
      deleted: [],
    });
    expect(await screen.findByRole('heading', { name: 'Design review, moved' })).toBeTruthy();
    expect(within(widget()).getByRole('status').textContent).toContain('Next: Design review, moved');
    expect(server.calls.slice(calls).map(({ path }) => path)).not.toContain('calendar.google.getUpcomingEvents');
  });

  it('keeps events after the grant ended, and offers to reconnect', async () => {
    server.events = [event({ id: 'e1' })];
    server.connections = server.connections.map((connection) => ({ ...connection, state: 'reauth_required' }));
    server.freshness = server.freshness.map((one) => ({ ...one, asOf: '2026-11-23T09:00:00Z', mode: 'paused' }));
    showWidget();
    expect(await screen.findByRole('heading', { name: 'Design review' })).toBeTruthy();
    expect(await screen.findByRole('button', { name: 'Reconnect' })).toBeTruthy();
    expect(widget().textContent).toContain('sign in again for alice@example.com');
    await waitFor(() => {
      expect(widget().textContent).toMatch(/Paused · as of Mon,? 23 Nov/);
    });
  });

  it('shows foreign content only as text', async () => {
    server.events = [
      event({
        id: 'e1',
        title: '<img src=x onerror="window.hurt=1">\u202Egnp.exe',
        description: '<script>window.hurt=1</script><a href="javascript:window.hurt=1">click</a>',
        location: 'javascript:window.hurt=1',
        htmlLink: 'javascript:window.hurt=1',
        conferenceUrl: 'data:text/html,<script>window.hurt=1</script>',
        calendarId: HOME,
      }),
    ];
    showWidget();
    expect(await screen.findByRole('heading', { name: '<img src=x onerror="window.hurt=1">gnp.exe' })).toBeTruthy();
    expect(widget().querySelector('img, script, iframe')).toBeNull();
    expect(within(widget()).queryAllByRole('link')).toEqual([]);
    expect('hurt' in window).toBe(false);
  });

  it('uses the given labels', async () => {
    showWidget({
      labels: { nextEvent: 'Nächster Termin', nothingTitle: 'Nichts vor', nothingAhead: () => 'Alles frei.' },
    });
    expect(await screen.findByText('Nichts vor')).toBeTruthy();
    expect(screen.getByRole('region', { name: 'Nächster Termin' })).toBeTruthy();
  });
});
