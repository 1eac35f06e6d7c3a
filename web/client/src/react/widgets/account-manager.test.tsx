import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { AccountManager } from './account-manager.js';
import { BERLIN, HOME, installDialog, NOW, Server, show, tidy, WORK } from './testing.js';

// Queries by role are slow in jsdom on large cards.
vi.setConfig({ testTimeout: 30_000 });

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

const account = () => screen.findByRole('region', { name: 'alice@example.com' });

/** jsdom's blobs can only be read with FileReader. */
const textOf = (blob: Blob | undefined) =>
  new Promise<string>((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    if (blob) reader.readAsText(blob);
  });

describe('AccountManager', () => {
  it('shows the role and freshness of each calendar', async () => {
    server.freshness = [
      { calendarId: HOME, asOf: '2026-11-24T11:40:00Z', mode: 'polling' },
      { calendarId: WORK, asOf: null, mode: 'stale' },
    ];
    server.calendars = server.calendars.map((calendar) =>
      calendar.id === WORK ? { ...calendar, accessRole: 'freeBusyReader' } : calendar,
    );
    show(<AccountManager {...BERLIN} />);
    const calendars = within(await account()).getByRole('list', { name: 'Calendars of alice@example.com' });
    await waitFor(() => {
      expect(
        within(calendars)
          .getAllByRole('listitem')
          .map(({ textContent }) => textContent),
      ).toEqual([
        'HomePrimaryYoursChecked every minute or so · as of 12:40',
        'WorkBusy times onlyCatching up · not yet read',
      ]);
    });
  });

  it('offers to reconnect an account whose grant ended', async () => {
    server.connections = server.connections.map((connection) => ({ ...connection, state: 'reauth_required' }));
    show(<AccountManager {...BERLIN} />);
    const card = await account();
    expect(card.textContent).toContain('Google has ended the connection. Reconnect to continue');
    expect(within(card).getByRole('button', { name: 'Reconnect' })).toBeTruthy();
  });

  it('explains that Google Calendar is off, without a remedy here', async () => {
    server.connections = server.connections.map((connection) => ({ ...connection, state: 'calendar_off' }));
    show(<AccountManager {...BERLIN} />);
    const card = await account();
    expect(card.textContent).toContain('Calendar is turned off');
    expect(card.textContent).toContain('Its administrator can turn it on; Calwire looks again every hour.');
    expect(within(card).queryByRole('button', { name: 'Reconnect' })).toBeNull();
  });

  it('reverts a failed selection, with the reason beside it', async () => {
    show(<AccountManager {...BERLIN} />);
    const work = await within(await account()).findByRole<HTMLInputElement>('checkbox', { name: /Work/ });
    server.down = true;
    click(work);
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toBe('Not changed. The calendar service cannot be reached right now.');
    expect(alert.closest('li')?.textContent).toContain('Work');
    expect(screen.getByRole<HTMLInputElement>('checkbox', { name: /Work/ }).checked).toBe(true);
  });

  it('explains a disconnect before, and shows receipts after', async () => {
    show(<AccountManager {...BERLIN} />);
    click(within(await account()).getByRole('button', { name: 'Disconnect alice@example.com' }));
    const dialog = screen.getByRole('dialog', { name: 'Disconnect alice@example.com?' });
    expect(dialog.textContent).toContain('its 2 calendars go from here at once');
    expect(server.inputsOf('calendar.google.disconnect')).toEqual([]);
    click(within(dialog).getByRole('button', { name: 'Disconnect' }));
    expect(await screen.findByText('alice@example.com is disconnected')).toBeTruthy();
    expect(server.inputsOf('calendar.google.disconnect')).toEqual([{ connectionId: 'k-1' }]);
    const steps = screen.getAllByRole('listitem').map(({ textContent }) => textContent);
    expect(steps).toEqual([
      expect.stringMatching(/2 channels stopped. 1 channel is still to be stopped/),
      expect.stringMatching(/Google has not confirmed yet/),
      '2 calendars with 1,234 events deleted here by 12:49 at the latest.',
    ]);
    expect(await screen.findByText('No Google account is connected')).toBeTruthy();
    click(screen.getByRole('button', { name: 'Close' }));
    expect(screen.queryByText('alice@example.com is disconnected')).toBeNull();
  });

  it.each([
    ['revoked', /^Google has confirmed that the access is revoked/],
    ['keptForOthers', /someone else here uses the same Google account/],
    [
      'kept',
      /because other parts of this application use it\. Your Google account’s page of connected applications ends it/,
    ],
    ['endedBefore', /had ended before/],
  ] as const)('says of a grant that it is %s', async (grant, sentence) => {
    server.grant = grant;
    show(<AccountManager {...BERLIN} />);
    click(within(await account()).getByRole('button', { name: 'Disconnect alice@example.com' }));
    click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Disconnect' }));
    expect(await screen.findByText(sentence)).toBeTruthy();
  });

  it('keeps the dialog open when disconnecting fails', async () => {
    show(<AccountManager {...BERLIN} />);
    click(within(await account()).getByRole('button', { name: 'Disconnect alice@example.com' }));
    server.down = true;
    const dialog = screen.getByRole('dialog');
    click(within(dialog).getByRole('button', { name: 'Disconnect' }));
    expect((await within(dialog).findByRole('alert')).textContent).toContain('cannot be reached');
    expect(screen.getByRole('dialog')).toBe(dialog);
  });

  it('downloads all pages of the data as one file', async () => {
    const blobs: Blob[] = [];
    URL.createObjectURL = (blob: Blob) => `blob:${blobs.push(blob)}`;
    URL.revokeObjectURL = () => undefined;
    const names: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      names.push(this.download);
    });
    show(<AccountManager {...BERLIN} />);
    click(await screen.findByRole('button', { name: 'Export my data' }));
    expect(await screen.findByText('calendar-data-2026-11-24.json is downloaded.')).toBeTruthy();
    expect(names).toEqual(['calendar-data-2026-11-24.json']);
    const data = JSON.parse(await textOf(blobs[0])) as Record<string, unknown>;
    expect(data).toMatchObject({
      userId: 'alice',
      connections: [{ email: 'alice@example.com' }],
      events: [{ event: { id: 'one' } }, { event: { id: 'two' } }],
    });
    expect(data).not.toHaveProperty('nextCursor');
  });

  it('deletes everything only after the typed confirmation', async () => {
    show(<AccountManager {...BERLIN} />);
    click(await screen.findByRole('button', { name: 'Delete my data' }));
    const dialog = screen.getByRole('dialog');
    const forGood = within(dialog).getByRole('button', { name: 'Delete for good' });
    click(forGood);
    const field = within(dialog).getByLabelText('Type “delete” to continue');
    fireEvent.change(field, { target: { value: 'delet' } });
    fireEvent.submit(field);
    expect(server.inputsOf('calendar.google.deleteData')).toEqual([]);
    fireEvent.change(field, { target: { value: 'Delete ' } });
    click(forGood);
    expect(await screen.findByText('Your data is deleted')).toBeTruthy();
    expect(screen.getByText('Nothing is stored about you here any more.')).toBeTruthy();
    expect(screen.getByText(/the access to 1 account is kept/)).toBeTruthy();
    expect(server.inputsOf('calendar.google.deleteData')).toHaveLength(1);
  });
});
