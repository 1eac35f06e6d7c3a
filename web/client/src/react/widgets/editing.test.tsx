import { cleanup, fireEvent, renderHook, screen, within } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Event as CalendarEvent } from '../../generated/types.js';
import { useEventEditor } from '../hooks/index.js';
import { AgendaWidget } from './agenda-widget.js';
import { EventDetails } from './details.js';
import { BERLIN, event, HOME, installDialog, NOW, Server, show, tidy, WORK } from './testing.js';

const ALL = ['title', 'start', 'end', 'description', 'location', 'attendees', 'recurrence', 'conference', 'reminders'];
const own = event({ id: 'own', canEdit: [...ALL, 'colorId'], calendarId: WORK });

interface Sent {
  idempotencyKey: string;
  calendarId: string;
  eventId?: string;
  baseEtag?: string;
  event?: object;
  patch?: object;
  responseStatus?: string;
}

// The form comes with the first edit, and the gate runs on two cores beside much else.
vi.setConfig({ testTimeout: 20_000 });

let server: Server;
/** How many answers of mutations are lost. */
let lost = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, shouldAdvanceTime: true, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  installDialog();
  // To look for a role among hundreds of options takes jsdom seconds.
  vi.spyOn(Intl, 'supportedValuesOf').mockReturnValue(['Europe/Berlin', 'Asia/Kathmandu']);
  server = new Server();
  server.events = [own];
  lost = 0;
  const answer = server.answer.bind(server);
  server.answer = (path, input) => {
    if (!/(create|update|delete|respondTo)Event$/.test(path)) return answer(path, input);
    server.calls.push({ path, input });
    if (lost > 0) {
      lost -= 1;
      throw new TypeError('Failed to fetch');
    }
    const { event: made, patch } = input as Sent;
    const written: CalendarEvent = { ...own, etag: '"2"', ...(patch ?? made) };
    return {
      event: { ...written, ...(made && { id: 'made', eventId: 'made', calendarId: HOME }) },
      merged: false,
      pending: false,
    };
  };
  server.install();
});
afterEach(tidy);

const sent = (procedure: string) => server.inputsOf(`calendar.google.${procedure}`) as Sent[];
const agenda = () => show(<AgendaWidget {...BERLIN} editable />);
const form = async () => within(await screen.findByRole('dialog'));

describe('the form', () => {
  it('makes an event once, however often it is sent, and shows it', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: 'New event' }));
    const dialog = await form();
    await vi.waitFor(() =>
      expect(dialog.getByRole<HTMLSelectElement>('combobox', { name: 'Calendar' }).value).toBe(HOME),
    );
    fireEvent.change(dialog.getByRole('textbox', { name: 'Title' }), { target: { value: 'Lunch' } });
    const save = dialog.getByRole('button', { name: 'Save' });
    fireEvent.click(save);
    fireEvent.click(save);
    await screen.findByRole('button', { name: /Lunch/ });
    await vi.waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(sent('createEvent')).toHaveLength(1);
    expect(sent('createEvent')[0]).toMatchObject({
      calendarId: HOME,
      event: { title: 'Lunch', start: '2026-11-24T13:00:00+01:00', end: '2026-11-24T14:00:00+01:00' },
    });
  });

  it('stays with what was written when the answer is lost, and tries again as the same request', async () => {
    lost = 3;
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    const dialog = await form();
    const title = dialog.getByRole<HTMLInputElement>('textbox', { name: 'Title' });
    fireEvent.change(title, { target: { value: 'Review' } });
    fireEvent.click(dialog.getByRole('button', { name: 'Save' }));
    await dialog.findByText(/not known whether this was saved/, undefined, { timeout: 10_000 });
    expect(title.value).toBe('Review');
    fireEvent.click(dialog.getByRole('button', { name: 'Try again' }));
    await vi.waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const requests = sent('updateEvent');
    expect(requests).toHaveLength(4);
    for (const request of requests) expect(request).toEqual(requests[0]);
    expect(requests[0]).toMatchObject({ eventId: 'own', baseEtag: '"1"', patch: { title: 'Review' } });
  });

  it('asks before it throws away what was written', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: 'New event' }));
    const dialog = await form();
    fireEvent.change(dialog.getByRole('textbox', { name: 'Title' }), { target: { value: 'Half' } });
    fireEvent.click(dialog.getByRole('button', { name: 'Cancel' }));
    fireEvent.click(dialog.getByRole('button', { name: 'Keep editing' }));
    expect(dialog.getByRole<HTMLInputElement>('textbox', { name: 'Title' }).value).toBe('Half');
    fireEvent.click(dialog.getByRole('button', { name: 'Cancel' }));
    fireEvent.click(dialog.getByRole('button', { name: 'Discard' }));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(sent('createEvent')).toEqual([]);
  });

  it('locks what one may not change, and says why', async () => {
    const organizer = { email: 'bob@example.com', displayName: 'Bob', self: false };
    server.events = [event({ id: 'own', canEdit: ['colorId', 'reminders', 'responseStatus'], organizer })];
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    const dialog = await form();
    const title = dialog.getByRole<HTMLInputElement>('textbox', { name: 'Title' });
    expect(title.disabled).toBe(true);
    await vi.waitFor(() => expect(title.getAttribute('aria-describedby')).not.toBeNull());
    const reason = document.getElementById(title.getAttribute('aria-describedby') ?? '');
    expect(reason?.textContent).toBe('Only the organizer can change this.');
    expect(dialog.getByRole<HTMLInputElement>('radio', { name: 'Tomato' }).disabled).toBe(false);
  });
});

describe('details', () => {
  it('answer an invitation with one click, and show it at once', async () => {
    const attendees = ['alice', 'bob'].map((name) => ({
      email: `${name}@example.com`,
      displayName: null,
      optional: false,
      self: name === 'alice',
      responseStatus: name === 'alice' ? 'needsAction' : 'accepted',
    }));
    const invited = event({ id: 'own', attendees, canEdit: ['colorId', 'responseStatus'] });
    server.events = [invited];
    show(<EventDetails event={invited} editable {...BERLIN} />);
    fireEvent.click(await screen.findByRole('button', { name: 'Maybe' }));
    await vi.waitFor(() =>
      expect(sent('respondToEvent')).toMatchObject([{ eventId: 'own', responseStatus: 'tentative' }]),
    );
    screen.getByText('1 yes, 0 maybe, 0 no');
  });

  it('that are not editable show no more than before', () => {
    show(<EventDetails event={own} {...BERLIN} />);
    for (const name of ['Edit', 'Delete', 'Maybe']) expect(screen.queryByRole('button', { name })).toBeNull();
  });
});

describe('a deletion', () => {
  it('is told with a way back, and sent when that is over', async () => {
    agenda();
    const remove = async () => {
      fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
      fireEvent.click(await screen.findByRole('button', { name: 'Delete' }));
      await vi.waitFor(() => expect(screen.queryByRole('button', { name: /Design review/ })).toBeNull());
    };
    await remove();
    fireEvent.click(screen.getByRole('button', { name: 'Undo', hidden: true }));
    await screen.findByRole('button', { name: /Design review/ });
    expect(sent('deleteEvent')).toEqual([]);
    await remove();
    await vi.advanceTimersByTimeAsync(9_000);
    await vi.waitFor(() => expect(sent('deleteEvent')).toMatchObject([{ eventId: 'own', baseEtag: '"1"' }]));
  });

  it('is sent when the page is left before', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Delete' }));
    await vi.advanceTimersByTimeAsync(100);
    const words: string[] = [];
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      words.push(`${url} ${String(init.keepalive)} ${init.body as string}`);
      return Promise.resolve(Response.json({}));
    });
    dispatchEvent(new Event('pagehide'));
    expect(words).toHaveLength(1);
    expect(words[0]).toMatch(/deleteEvent true .*"eventId":"own"/);
    cleanup();
  });
});

describe('useEventEditor', () => {
  it('has to be inside a provider, and refuses to edit for nobody', () => {
    expect(() => renderHook(() => useEventEditor())).toThrow(/CalwireProvider/);
  });

  it('shows one notice on a page of two editable widgets', async () => {
    show(
      <StrictMode>
        <AgendaWidget {...BERLIN} editable />
        <EventDetails event={own} editable {...BERLIN} />
      </StrictMode>,
    );
    await screen.findByRole('button', { name: /Design review/ });
    fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
    expect(await screen.findAllByRole('button', { name: 'Undo', hidden: true })).toHaveLength(1);
  });
});
