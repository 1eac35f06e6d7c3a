import { act, cleanup, fireEvent, renderHook, screen, within } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Event as CalendarEvent } from '../../generated/types.js';
import type { EditConflict, EventVersion } from '../../core/conflict.js';
import { useEventEditor } from '../hooks/index.js';
import { AgendaWidget } from './agenda-widget.js';
import { EventDetails } from './details.js';
import { BERLIN, ErrorResponse, event, HOME, installDialog, NOW, Server, show, tidy, WORK } from './testing.js';

const ALL = ['title', 'start', 'end', 'description', 'location', 'attendees', 'recurrence', 'conference', 'reminders'];
const own = event({ id: 'own', canEdit: [...ALL, 'colorId'], calendarId: WORK });

interface SentInput {
  idempotencyKey: string;
  calendarId: string;
  eventId?: string;
  baseEtag?: string;
  event?: object;
  patch?: object;
  responseStatus?: string;
  destinationCalendarId?: string;
}

const version = (title: string): EventVersion => ({
  title,
  description: null,
  location: null,
  colorId: null,
  attendees: [],
  recurrence: [],
  reminders: null,
  conferenceUrl: null,
});
/** Someone else has renamed it too. */
const conflict: EditConflict = {
  fields: ['title'],
  base: version('Design review'),
  ours: version('Review'),
  theirs: version('Retro'),
  etag: '"9"',
};

// The form is loaded with the first edit. Generous, for machines that run other jobs at the same time.
vi.setConfig({ testTimeout: 20_000 });

let server: Server;
/** How many responses to mutations get lost. */
let lost = 0;
/** The outcome of the next mutation, instead of success. */
let instead: 'pending' | 'conflict' | null = null;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, shouldAdvanceTime: true, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  installDialog();
  // Queries by role take jsdom seconds with hundreds of options.
  vi.spyOn(Intl, 'supportedValuesOf').mockReturnValue(['Europe/Berlin', 'Asia/Kathmandu']);
  server = new Server();
  server.events = [own];
  lost = 0;
  instead = null;
  const answer = server.answer.bind(server);
  server.answer = (path, input) => {
    if (!/(create|update|delete|move|respondTo)Event$/.test(path)) return answer(path, input);
    server.calls.push({ path, input });
    if (lost > 0) {
      lost -= 1;
      throw new TypeError('Failed to fetch');
    }
    const outcome = instead;
    instead = null;
    if (outcome === 'conflict') throw new ErrorResponse({ code: 'CONFLICT', reason: 'EDIT_CONFLICT', ...conflict });
    if (outcome === 'pending') return { event: null, merged: false, pending: true };
    const { event: created, patch, destinationCalendarId: calendarId = own.calendarId } = input as SentInput;
    const written: CalendarEvent = { ...own, etag: '"2"', calendarId, ...(patch ?? created) };
    return {
      event: { ...written, ...(created && { id: 'created', eventId: 'created', calendarId: HOME }) },
      merged: false,
      pending: false,
    };
  };
  server.install();
});
afterEach(tidy);

const sent = (procedure: string) => server.inputsOf(`calendar.google.${procedure}`) as SentInput[];
const agenda = () => show(<AgendaWidget {...BERLIN} editable />);
const form = async () => within(await screen.findByRole('dialog'));
/** Opens the event's form and changes the title. */
const renamed = async () => {
  agenda();
  fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
  fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
  const dialog = await form();
  fireEvent.change(dialog.getByRole('textbox', { name: 'Title' }), { target: { value: 'Review' } });
  return dialog;
};
const save = (dialog: Awaited<ReturnType<typeof form>>, name = 'Save') => {
  fireEvent.click(dialog.getByRole('button', { name }));
};
const closed = () => vi.waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());

describe('the form', () => {
  it('creates an event once despite a double click', async () => {
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

  it('edits the whole of a cut text', async () => {
    const description = 'x'.repeat(5_000);
    server.events = [{ ...own, description: `${description.slice(0, 2_000)}…`, cutFields: ['description'] }];
    const answer = server.answer.bind(server);
    let respond: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => (respond = resolve));
    server.answer = (path, input) =>
      path === 'calendar.google.getEvent' ? asked.then(() => ({ ...own, description })) : answer(path, input);
    const dialog = await renamed();
    const field = dialog.getByRole<HTMLTextAreaElement>('textbox', { name: 'Description' });
    expect(field.disabled).toBe(true);
    respond?.();
    await vi.waitFor(() => {
      expect(field.disabled).toBe(false);
    });
    fireEvent.change(field, { target: { value: `${field.value}!` } });
    save(dialog);
    await closed();
    expect(sent('updateEvent')[0]?.patch).toEqual({ title: 'Review', description: `${description}!` });
  });

  it('locks what events of a type cannot be', async () => {
    const canEdit = ['title', 'start', 'end', 'colorId'];
    server.events = [{ ...own, eventType: 'focusTime', canEdit, canDelete: false }];
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    const dialog = await form();
    expect(dialog.getByRole<HTMLInputElement>('checkbox', { name: 'All day' }).disabled).toBe(true);
    expect(dialog.getByRole<HTMLSelectElement>('combobox', { name: 'Show as' }).disabled).toBe(true);
    expect(screen.queryByRole('button', { name: 'Delete' })).toBeNull();
  });

  it('keeps its input after a lost response, and retries', async () => {
    lost = 3;
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    const dialog = await form();
    const title = dialog.getByRole<HTMLInputElement>('textbox', { name: 'Title' });
    fireEvent.change(title, { target: { value: 'Review' } });
    save(dialog);
    await dialog.findByText(/not known whether this was saved/, undefined, { timeout: 10_000 });
    expect(title.value).toBe('Review');
    fireEvent.click(dialog.getByRole('button', { name: 'Try again' }));
    await vi.waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const requests = sent('updateEvent');
    expect(requests).toHaveLength(4);
    for (const request of requests) expect(request).toEqual(requests[0]);
    expect(requests[0]).toMatchObject({ eventId: 'own', baseEtag: '"1"', patch: { title: 'Review' } });
  });

  it('asks before it discards changes', async () => {
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

  it('keeps its input after a second Escape', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: 'New event' }));
    const dialog = await form();
    fireEvent.change(dialog.getByRole('textbox', { name: 'Title' }), { target: { value: 'Half' } });
    const element = screen.getByRole<HTMLDialogElement>('dialog');
    fireEvent(element, new Event('cancel', { cancelable: true }));
    dialog.getByRole('button', { name: 'Discard' });
    // Without a click in between, browsers do not let the page prevent the second one.
    fireEvent(element, new Event('cancel'));
    element.open = false;
    fireEvent(element, new Event('close'));
    expect(element.open).toBe(true);
    expect(dialog.getByRole<HTMLInputElement>('textbox', { name: 'Title' }).value).toBe('Half');
    expect(document.activeElement).toBe(dialog.getByRole('button', { name: 'Keep editing' }));
  });

  it('stays open while saving', async () => {
    const dialog = await renamed();
    const answer = fetch;
    let open: (value?: unknown) => void = () => undefined;
    const held = new Promise((resolve) => (open = resolve));
    vi.stubGlobal('fetch', async (...request: Parameters<typeof fetch>) => {
      await held;
      return answer(...request);
    });
    fireEvent.click(dialog.getByRole('button', { name: 'Cancel' }));
    save(dialog);
    for (const name of ['Cancel', 'Close']) fireEvent.click(dialog.getByRole('button', { name }));
    expect(dialog.queryByRole('button', { name: 'Discard' })).toBeNull();
    dialog.getByRole('button', { name: 'Saving…' });
    open();
    await closed();
    expect(sent('updateEvent')).toHaveLength(1);
  });

  it('does not drop an invalid guest', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: 'New event' }));
    const dialog = await form();
    const guest = dialog.getByRole('textbox', { name: 'E-mail address of a guest' });
    fireEvent.change(guest, { target: { value: 'Bob bob' } });
    fireEvent.blur(guest);
    save(dialog);
    await dialog.findByText('Please correct the marked fields.');
    await vi.waitFor(() => expect(document.activeElement).toBe(guest));
    fireEvent.change(guest, { target: { value: 'Bob <bob@example.com>' } });
    // Not every browser moves the focus to a clicked button.
    save(dialog);
    await closed();
    const attendees = [{ email: 'bob@example.com', displayName: 'Bob' }];
    expect(sent('createEvent')).toMatchObject([{ event: { attendees }, sendUpdates: 'all' }]);
  });

  const elsewhere = async () => {
    const dialog = await renamed();
    await dialog.findByRole('option', { name: 'Home' });
    fireEvent.change(dialog.getByRole('combobox', { name: 'Calendar' }), { target: { value: HOME } });
    return dialog;
  };
  const moved = () =>
    vi.waitFor(() => expect(sent('moveEvent')).toMatchObject([{ eventId: 'own', destinationCalendarId: HOME }]));

  it('moves to another calendar after a retried response', async () => {
    lost = 3;
    const dialog = await elsewhere();
    save(dialog);
    await dialog.findByText(/not known whether this was saved/, undefined, { timeout: 10_000 });
    expect(sent('moveEvent')).toEqual([]);
    save(dialog, 'Try again');
    await closed();
    await moved();
  });

  it('moves to another calendar after a pending edit', async () => {
    instead = 'pending';
    save(await elsewhere());
    await closed();
    expect(sent('moveEvent')).toEqual([]);
    const [update] = sent('updateEvent');
    const idempotencyKey = update?.idempotencyKey ?? '';
    await server.publish({ type: 'write.resolved', idempotencyKey, intentId: 'intent', state: 'done', reason: null });
    await moved();
  });

  it('moves to another calendar after a resolved conflict', async () => {
    instead = 'conflict';
    const dialog = await elsewhere();
    save(dialog);
    await dialog.findByRole('heading', { name: 'Conflicting changes' });
    expect(sent('moveEvent')).toEqual([]);
    save(dialog);
    await closed();
    await moved();
    expect(sent('updateEvent')).toMatchObject([{ baseEtag: '"1"' }, { baseEtag: '"9"', patch: { title: 'Review' } }]);
  });

  it('locks a decision until its outcome is known', async () => {
    instead = 'conflict';
    const dialog = await renamed();
    save(dialog);
    await dialog.findByRole('heading', { name: 'Conflicting changes' });
    lost = 3;
    save(dialog);
    await dialog.findByText(/not known whether this was saved/, undefined, { timeout: 10_000 });
    const theirs = dialog.getByRole('radio', { name: /^Theirs/ });
    expect(theirs.matches(':disabled')).toBe(true);
    save(dialog, 'Try again');
    await closed();
    const [, ...decided] = sent('updateEvent');
    expect(decided).toHaveLength(4);
    for (const request of decided) expect(request).toEqual(decided[0]);
  });

  it('locks read-only fields, with the reason', async () => {
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
  it('respond to an invitation with one click', async () => {
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

  it('distinguish rooms from people, and show what is private', async () => {
    const guest = { displayName: null, optional: false, self: false, responseStatus: 'accepted' };
    const attendees = [
      { ...guest, email: 'ann@example.com' },
      { ...guest, email: 'c_188@resource.calendar.google.com', displayName: 'Room 3', resource: true },
    ];
    show(<EventDetails event={{ ...own, attendees, visibility: 'private' }} {...BERLIN} />);
    await screen.findByText('1 guest');
    expect(screen.getByText('Room 3').closest('li')?.textContent).toContain('room');
    screen.getByText('Private');
  });

  it('show a guest whose answer is not one of Google’s', async () => {
    const guest = { displayName: null, optional: false, self: false };
    const attendees = [{ ...guest, email: 'ann@example.com', responseStatus: 'constructor' }];
    show(<EventDetails event={{ ...own, attendees }} {...BERLIN} />);
    const name = await screen.findByText('ann@example.com');
    expect(name.closest('li')?.textContent).toBe('ann@example.com no answer');
  });

  it('without editable have no edit buttons', () => {
    show(<EventDetails event={own} {...BERLIN} />);
    for (const name of ['Edit', 'Delete', 'Maybe']) expect(screen.queryByRole('button', { name })).toBeNull();
  });
});

describe('a deletion', () => {
  it('can be undone, and is sent after that', async () => {
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

  it('that was held is sent when released', async () => {
    server.events = [own, event({ ...own, id: 'other', eventId: 'other', title: 'Other' })];
    agenda();
    const remove = async (name: RegExp) => {
      fireEvent.click(await screen.findByRole('button', { name }));
      fireEvent.click(await screen.findByRole('button', { name: 'Delete' }));
      await vi.waitFor(() => expect(screen.queryByRole('button', { name })).toBeNull());
    };
    await remove(/Design review/);
    const bar = screen.getByRole('button', { name: 'Undo', hidden: true }).parentElement ?? document.body;
    fireEvent.pointerEnter(bar);
    await act(() => vi.advanceTimersByTimeAsync(9_000));
    expect(sent('deleteEvent')).toEqual([]);
    await remove(/Other/);
    fireEvent.pointerLeave(bar);
    await act(() => vi.advanceTimersByTimeAsync(9_000));
    await vi.waitFor(() =>
      expect(
        sent('deleteEvent')
          .map(({ eventId }) => eventId)
          .sort(),
      ).toEqual(['other', 'own']),
    );
  });

  it('is sent when the page closes before', async () => {
    agenda();
    fireEvent.click(await screen.findByRole('button', { name: /Design review/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Delete' }));
    await vi.advanceTimersByTimeAsync(100);
    const requests: string[] = [];
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      requests.push(`${url} ${String(init.keepalive)} ${init.body as string}`);
      return Promise.resolve(Response.json({}));
    });
    dispatchEvent(new Event('pagehide'));
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatch(/deleteEvent true .*"eventId":"own"/);
    cleanup();
  });
});

describe('useEventEditor', () => {
  it('throws outside of a provider', () => {
    expect(() => renderHook(() => useEventEditor())).toThrow(/CalwireProvider/);
  });

  it('shows one notice for two editable widgets', async () => {
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
