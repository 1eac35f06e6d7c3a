import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { seriesFrom } from '../../../tests/normal-form.js';
import { AgendaWidget } from './agenda-widget.js';
import { CalendarPicker } from './calendar-picker.js';
import { MonthView, WeekView } from './views.js';
import { SyncStatus } from './sync-status.js';
import { BERLIN, event, HOME, installDialog, NOW, Server, show, tidy, WORK } from './testing.js';

let server: Server;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, shouldAdvanceTime: true });
  installDialog();
  server = new Server();
  server.install();
});
afterEach(tidy);

const click = (element: HTMLElement) => {
  act(() => {
    element.focus();
    element.click();
  });
};

describe('AgendaWidget', () => {
  it('groups events by local days', async () => {
    server.events = [
      event({ id: 'late', title: 'Late call', start: '2026-11-24T23:30:00Z', end: '2026-11-25T00:30:00Z' }),
      event({ id: 'trip', title: 'Trip', start: '2026-11-25', end: '2026-11-27', allDay: true, timeZone: null }),
      event({ id: 'running', title: 'Standing', start: '2026-11-24T11:30:00Z', end: '2026-11-24T12:00:00Z' }),
    ];
    show(<AgendaWidget {...BERLIN} />);
    const today = await screen.findByRole('region', { name: /^Today/ });
    expect(within(today).getAllByRole('button')).toHaveLength(1);
    expect(today.textContent).toContain('now');
    expect(today.textContent).toContain('ends in 12 min');
    const tomorrow = screen.getByRole('region', { name: /^Tomorrow/ });
    expect(
      within(tomorrow)
        .getAllByRole('button')
        .map((button) => button.textContent),
    ).toEqual([expect.stringMatching(/All day · day 1 of 2Trip/), expect.stringMatching(/00:30.*01:30.*Late call/)]);
    expect(screen.getByRole('region', { name: /Thursday,? 26 November/ }).textContent).toContain('day 2 of 2');
  });

  it.each(['Pacific/Auckland', 'America/Los_Angeles', 'Asia/Kathmandu'])(
    'shows all-day events on their days in %s',
    async (timeZone) => {
      server.events = [
        event({ id: 'd', title: 'Fair', start: '2026-11-26', end: '2026-11-28', allDay: true, timeZone: null }),
      ];
      show(<AgendaWidget locale="en-GB" timeZone={timeZone} />);
      await screen.findAllByRole('button', { name: /Fair/ });
      const days = screen.getAllByRole('region', { name: /November|Tomorrow/ }).map((day) => day.textContent);
      expect(days).toEqual([
        expect.stringMatching(/26 Nov.*day 1 of 2Fair/),
        expect.stringMatching(/27 Nov.*day 2 of 2Fair/),
      ]);
    },
  );

  it('opens the details, then returns the focus', async () => {
    server.events = [event({ id: 'e1', location: 'Room Ada' })];
    show(<AgendaWidget {...BERLIN} />);
    const row = await screen.findByRole('button', { name: /Design review/ });
    click(row);
    const dialog = await screen.findByRole('dialog', { name: 'Design review' }, { timeout: 15_000 });
    expect(within(dialog).getByText('Room Ada')).toBeTruthy();
    expect(dialog.contains(document.activeElement)).toBe(true);
    // The event that browsers send for Escape.
    fireEvent(dialog, new Event('cancel', { cancelable: true }));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(document.activeElement).toBe(row);
  });

  it('keeps open details up to date', async () => {
    server.events = [event({ id: 'e1' })];
    show(<AgendaWidget {...BERLIN} />);
    click(await screen.findByRole('button', { name: /Design review/ }));
    await screen.findByText('Live');
    await server.publish({
      type: 'events.changed',
      calendarId: WORK,
      asOf: NOW.toISOString(),
      window: { from: '2026-11-17T00:00:00Z', to: '2027-01-05T00:00:00Z' },
      upserted: seriesFrom([event({ id: 'e1', title: 'Renamed', etag: '"2"' })]),
      deleted: [],
    });
    expect(await screen.findByRole('dialog', { name: 'Renamed' })).toBeTruthy();
  });
});

describe('CalendarPicker', () => {
  it('lists calendars by account and selects', async () => {
    show(<CalendarPicker {...BERLIN} />);
    const account = await screen.findByRole('group', { name: 'alice@example.com' });
    const work = within(account).getByRole<HTMLInputElement>('checkbox', { name: /Work/ });
    expect(work.checked).toBe(true);
    click(work);
    await waitFor(() => {
      expect(server.inputsOf('calendar.google.selectCalendars')).toEqual([{ calendarIds: [WORK], selected: false }]);
    });
    await waitFor(() => {
      expect(screen.getByRole<HTMLInputElement>('checkbox', { name: /Work/ }).checked).toBe(false);
    });
  });

  it('reverts a selection if the server does not answer', async () => {
    show(<CalendarPicker {...BERLIN} />);
    const work = await screen.findByRole<HTMLInputElement>('checkbox', { name: /Work/ });
    server.down = true;
    click(work);
    expect((await screen.findByRole('alert')).textContent).toContain('cannot be reached');
    expect(screen.getByRole<HTMLInputElement>('checkbox', { name: /Work/ }).checked).toBe(true);
  });
});

describe('SyncStatus', () => {
  it('shows the state of accounts and calendars', async () => {
    server.connections = server.connections.map((connection) => ({ ...connection, state: 'reauth_required' }));
    server.freshness = [
      { calendarId: HOME, asOf: '2026-11-24T11:40:00Z', mode: 'polling' },
      { calendarId: WORK, asOf: null, mode: 'paused' },
    ];
    show(<SyncStatus {...BERLIN} defaultOpen />);
    expect(await screen.findByText('1 account needs you')).toBeTruthy();
    const accounts = screen.getByRole('list', { name: 'Accounts' });
    expect(accounts.textContent).toContain('Google has ended the connection');
    expect(within(accounts).getByRole('button', { name: 'Reconnect' })).toBeTruthy();
    const calendars = screen.getByRole('list', { name: 'Calendars' });
    await waitFor(() => {
      expect(calendars.textContent).toContain('Home');
    });
    expect(calendars.textContent).toContain('Checked every minute or so · as of 12:40');
    expect(calendars.textContent).toContain('Paused · not yet read');
  });

  it('says that Google Calendar is turned off', async () => {
    server.connections = server.connections.map((connection) => ({ ...connection, state: 'calendar_off' }));
    show(<SyncStatus {...BERLIN} defaultOpen />);
    const accounts = await screen.findByRole('list', { name: 'Accounts' });
    expect(accounts.textContent).toContain(
      'Google Calendar is turned off for this account. Its administrator can turn it on',
    );
    expect(within(accounts).queryByRole('button', { name: 'Reconnect' })).toBeNull();
    // In the heading, beside the account's own state.
    expect(screen.getAllByText('Calendar is turned off')).toHaveLength(2);
  });

  it('is live with push, and counts polled calendars', async () => {
    const asOf = '2026-11-24T11:47:00Z';
    server.freshness = [
      { calendarId: HOME, asOf, mode: 'polling' },
      { calendarId: WORK, asOf, mode: 'push' },
    ];
    show(<SyncStatus {...BERLIN} />);
    expect(await screen.findByText('Live · one calendar is checked every minute or so')).toBeTruthy();
  });

  it('shows the time if all calendars are polled', async () => {
    const asOf = '2026-11-24T11:47:00Z';
    server.freshness = [HOME, WORK].map((calendarId) => ({ calendarId, asOf, mode: 'polling' as const }));
    show(<SyncStatus {...BERLIN} />);
    await waitFor(() => {
      expect(document.querySelector('.calwire-freshness')?.textContent).toBe(
        'Checked every minute or so · as of 12:47',
      );
    });
  });

  it('syncs until every calendar has been pulled', async () => {
    show(<SyncStatus {...BERLIN} />);
    click(await screen.findByRole('button', { name: 'Sync now' }));
    expect(await screen.findByRole('button', { name: 'Checking Google…' })).toBeTruthy();
    await waitFor(() => {
      expect(server.inputsOf('calendar.google.syncNow')).toHaveLength(1);
    });
    server.freshness = server.freshness.map((one) => ({ ...one, asOf: '2026-11-24T11:49:00Z' }));
    await act(() => vi.advanceTimersByTimeAsync(2_500));
    expect(await screen.findByRole('button', { name: 'Sync now' })).toBeTruthy();
    expect(screen.getAllByRole('status').map((status) => status.textContent)).toContain('Up to date');
  });
});

describe('WeekView and MonthView', () => {
  it('navigates between weeks with few requests', async () => {
    server.events = [event({ id: 'e1' })];
    show(<WeekView {...BERLIN} />);
    // The view is loaded lazily.
    await screen.findByRole('heading', { name: /23.*29 November 2026/ }, { timeout: 15_000 });
    const view = screen.getByRole('region', { name: 'Week' });
    expect(await within(view).findByRole('button', { name: /Design review, Today/ }, { timeout: 15_000 })).toBeTruthy();
    expect(server.inputsOf('calendar.google.getEvents')).toEqual([]);
    click(within(view).getByRole('button', { name: 'Next week' }));
    expect(within(view).getByRole('heading', { name: /30 November.*6 December 2026/ })).toBeTruthy();
    fireEvent.change(screen.getByLabelText('Go to date'), { target: { value: '2027-03-10' } });
    expect(within(view).getByRole('heading', { name: /8.*14 March 2027/ })).toBeTruthy();
    await waitFor(() => {
      expect(server.inputsOf('calendar.google.getEvents')).toHaveLength(1);
    });
    click(within(view).getByRole('button', { name: 'Today' }));
    expect(await within(view).findByRole('button', { name: /Design review, Today/ })).toBeTruthy();
  }, 30_000);

  it.each([WeekView, MonthView])(
    'shows only the types of events that it is given',
    async (View) => {
      const day = { start: '2026-11-24', end: '2026-11-25', allDay: true, timeZone: null };
      server.events = [
        event({ id: 'b', title: 'Birthday of Ann', eventType: 'birthday', ...day }),
        event({ id: 'e', title: 'Fair', ...day }),
      ];
      show(<View {...BERLIN} eventTypes={['default']} />);
      expect(await screen.findByText('Fair', {}, { timeout: 15_000 })).toBeTruthy();
      expect(screen.queryByText('Birthday of Ann')).toBeNull();
    },
    30_000,
  );

  it('lets the host control the date', async () => {
    const onDateChange = vi.fn();
    show(<MonthView {...BERLIN} date="2026-11-24" onDateChange={onDateChange} />);
    click(await screen.findByRole('button', { name: 'Next month' }, { timeout: 15_000 }));
    expect(onDateChange).toHaveBeenCalledWith('2026-12-24');
    expect(screen.getByRole('heading', { name: 'November 2026' })).toBeTruthy();
  });
});
