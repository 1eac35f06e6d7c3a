/**
 * A fake of Calwire's server behind `fetch` and `WebSocket`. The provider, the hooks and the socket's SDK are real.
 */
import { QueryClient } from '@tanstack/react-query';
import { act, cleanup, configure, render } from '@testing-library/react';
import type { ReactElement } from 'react';
import { vi } from 'vitest';

import type {
  CalendarInfo,
  Change,
  ConnectionInfo,
  DataExport,
  Disconnect,
  DisconnectInput,
  Event as CalendarEvent,
  ExportDataInput,
  Freshness,
  RealtimeState,
} from '../../generated/types.js';
import { snapshotOf } from '../../../tests/normal-form.js';
import { CalwireProvider } from '../provider.js';

// Generous, for machines that run other jobs at the same time.
configure({ asyncUtilTimeout: 5_000 });

export const NOW = new Date('2026-11-24T11:48:00Z');
export const WORK = 'c-work';
export const HOME = 'c-home';

export function event(fields: Partial<CalendarEvent> & { id: string }): CalendarEvent {
  return {
    title: 'Design review',
    start: '2026-11-24T12:00:00Z',
    end: '2026-11-24T12:30:00Z',
    allDay: false,
    timeZone: 'Europe/Berlin',
    description: null,
    location: null,
    htmlLink: 'https://www.google.com/calendar/event?eid=1',
    calendarId: WORK,
    eventId: fields.id,
    recurringEventId: null,
    recurrence: [],
    status: 'confirmed',
    eventType: 'default',
    transparency: 'opaque',
    colorId: null,
    attendees: [],
    organizer: null,
    conferenceUrl: null,
    canEdit: [],
    canDelete: true,
    etag: '"1"',
    iCalUID: null,
    reminders: null,
    ...fields,
  };
}

function calendar(id: string, summary: string, backgroundColor: string): CalendarInfo {
  return {
    id,
    connectionId: 'k-1',
    googleId: `${id}@group.calendar.google.com`,
    summary,
    description: null,
    timeZone: 'Europe/Berlin',
    colorId: null,
    backgroundColor,
    foregroundColor: '#000000',
    accessRole: 'owner',
    primary: id === HOME,
    selected: true,
    accessLost: false,
    pushSupported: true,
    freshness: null,
  };
}

/** An error response of the server, when `answer` throws it. */
export class ErrorResponse extends Error {
  constructor(readonly data: { code: string; reason?: string; [more: string]: unknown }) {
    super(data.code);
  }

  static errorOf(thrown: unknown): { error: object } {
    // Anything else is a network failure.
    if (!(thrown instanceof ErrorResponse)) throw thrown;
    return { error: { message: thrown.message, code: -32_000, data: thrown.data } };
  }
}

/** The server's data and behaviour. Tests change it before or while widgets are shown. */
export class Server {
  events: CalendarEvent[] = [];
  calendars = [calendar(HOME, 'Home', '#9a9cff'), calendar(WORK, 'Work', '#d06b64')];
  freshness: Freshness[] = [HOME, WORK].map((calendarId) => ({ calendarId, asOf: NOW.toISOString(), mode: 'push' }));
  connections: ConnectionInfo[] = [
    {
      id: 'k-1',
      email: 'alice@example.com',
      state: 'healthy',
      reason: null,
      hasCalendarAccess: true,
      canWrite: true,
      createdAt: NOW.toISOString(),
    },
  ];
  connected = true;
  hasCalendarAccess = true;
  /** In the receipts of a disconnect. */
  grant: Disconnect['receipts'][number]['grant'] = 'pending';
  /** Requests fail without a response. */
  down = false;
  /** All calls. */
  readonly calls: { path: string; input: unknown }[] = [];
  seq = 0;
  #sockets = new Set<FakeSocket>();

  inputsOf(path: string): unknown[] {
    return this.calls.filter((call) => call.path === path).map((call) => call.input);
  }

  /** Sends a message to all sockets. */
  async publish(change: Change): Promise<void> {
    this.seq += 1;
    const data = { v: 2, seq: this.seq, ...change };
    await act(async () => {
      for (const socket of this.#sockets) {
        socket.send({ push: { channel: 'calendar:alice', pub: { data, offset: this.seq } } });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
  }

  answer(path: string, input: unknown): unknown {
    this.calls.push({ path, input });
    const access = { connected: this.connected, hasCalendarAccess: this.hasCalendarAccess };
    const fresh = { asOf: NOW.toISOString(), mode: 'push', calendars: this.connected ? this.freshness : [] };
    switch (path) {
      case 'realtime.getState':
        return this.#state();
      case 'realtime.getConnectionToken':
      case 'realtime.getSubscriptionToken':
        return { token: TOKEN, expiresIn: 900 };
      case 'calendar.google.getUpcomingEvents':
      case 'calendar.google.getEvents':
        return { ...access, ...fresh, events: this.#ofTypes(input), truncated: false };
      case 'calendar.google.listCalendars':
        return { ...access, calendars: this.connected ? this.calendars : [] };
      case 'calendar.google.selectCalendars': {
        const { calendarIds, selected } = input as { calendarIds: string[]; selected: boolean };
        this.calendars = this.calendars.map((one) => (calendarIds.includes(one.id) ? { ...one, selected } : one));
        return { ...access, calendars: this.calendars };
      }
      case 'calendar.google.status':
        return { ...access, ...fresh, pushAvailable: true, connections: this.connected ? this.connections : [] };
      case 'calendar.google.syncNow':
        return { success: true, queued: 2 };
      case 'calendar.google.disconnect':
        return { success: true, ...this.#disconnect(input as DisconnectInput | undefined) };
      case 'calendar.google.deleteData':
        return {
          success: true,
          ...this.#disconnect(undefined),
          deleted: true,
          grantsLeft: 1,
          liveHistoryDeleted: true,
        };
      case 'calendar.google.exportData':
        return this.#page((input as ExportDataInput | undefined)?.cursor);
      default:
        throw new Error(`unknown procedure: ${path}`);
    }
  }

  #ofTypes(input: unknown): CalendarEvent[] {
    const { eventTypes } = input as { eventTypes?: string[] };
    return this.events.filter(({ eventType }) => eventTypes?.includes(eventType) ?? true);
  }

  /** One channel has not been stopped. */
  #disconnect(input: DisconnectInput | undefined): Pick<Disconnect, 'connectionIds' | 'receipts'> {
    const isMeant = ({ id }: ConnectionInfo) => input?.connectionId === undefined || id === input.connectionId;
    const disconnected = this.connections.filter(isMeant);
    this.connections = this.connections.filter((connection) => !isMeant(connection));
    this.calendars = this.calendars.filter(({ connectionId }) => disconnected.every(({ id }) => id !== connectionId));
    this.connected = this.connections.length > 0;
    const receipts = disconnected.map(({ id, email }) => ({
      connectionId: id,
      email,
      channels: { stopped: 2, left: 1 },
      grant: this.grant,
      data: { calendars: 2, events: 1234, deleted: false, deletedBy: '2026-11-24T11:49:00Z' },
    }));
    return { connectionIds: disconnected.map(({ id }) => id), receipts };
  }

  /** An export of two pages. */
  #page(cursor: string | undefined): DataExport {
    const first = cursor === undefined;
    const none = { syncState: [], watches: [], userStream: [], connectFlows: [], eventVersions: [] };
    return {
      ...none,
      userId: 'alice',
      exportedAt: NOW.toISOString(),
      connections: first ? [{ email: 'alice@example.com' }] : [],
      calendars: [],
      events: [{ event: { id: first ? 'one' : 'two' } }],
      writeIntents: [],
      syncRounds: [],
      messages: [],
      nextCursor: first ? 'second' : null,
    };
  }

  #state(): RealtimeState {
    return {
      epoch: 'epoch',
      offset: this.seq,
      seq: this.seq,
      streamEpoch: 'stream',
      connected: this.connected,
      hasCalendarAccess: this.hasCalendarAccess,
      asOf: NOW.toISOString(),
      mode: 'push',
      calendars: this.connected ? this.freshness : [],
      window: { from: '2026-11-17T00:00:00Z', to: '2027-01-05T00:00:00Z' },
      messages: [],
      snapshot: { series: snapshotOf(this.events), truncated: false, until: null },
    };
  }

  /** Replaces the browser's network. */
  install(): void {
    const sockets = this.#sockets;
    vi.stubGlobal('fetch', (input: string | URL, init?: RequestInit) => this.#fetch(new URL(input), init));
    vi.stubGlobal(
      'WebSocket',
      class extends FakeSocket {
        constructor() {
          super();
          sockets.add(this);
        }
      },
    );
  }

  #fetch(url: URL, init?: RequestInit): Promise<Response> {
    if (this.down) return Promise.reject(new TypeError('Failed to fetch'));
    const paths = url.pathname.replace('/trpc/', '').split(',');
    const sent = init?.body ?? url.searchParams.get('input') ?? '{}';
    const inputs = JSON.parse(sent as string) as Record<string, unknown>;
    const inputOf = (index: number) => (url.searchParams.has('batch') ? inputs[String(index)] : inputs);
    const answers = paths.map(async (path, index) => {
      try {
        return { result: { data: await this.answer(path, inputOf(index)) } };
      } catch (thrown) {
        return ErrorResponse.errorOf(thrown);
      }
    });
    return Promise.all(answers).then((all) => Response.json(all));
  }
}

const TOKEN = `x.${btoa(JSON.stringify({ sub: 'alice', exp: 4_000_000_000 }))}.x`;

interface Command {
  id: number;
  connect?: unknown;
  subscribe?: unknown;
}

/** The part of Centrifugo's JSON protocol for a connection with one subscription. */
class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  binaryType = 'blob';

  constructor() {
    setTimeout(() => this.onopen?.());
    // The SDK calls `send` of this object.
    const answer = (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) this.#answer(JSON.parse(line) as Command);
    };
    const reply = (message: object) => this.onmessage?.({ data: JSON.stringify(message) });
    this.send = (sent) => {
      if (typeof sent === 'string') answer(sent);
      else reply(sent);
    };
  }

  send: (sent: string | object) => void;

  close(): void {
    this.onclose?.({ code: 1000, reason: '' });
  }

  #answer({ id, connect, subscribe }: Command): void {
    const result = connect
      ? { connect: { client: 'client', version: '6', ping: 3600, pong: true } }
      : subscribe
        ? { subscribe: { recoverable: true, positioned: true, epoch: 'epoch', offset: 0 } }
        : null;
    if (result) setTimeout(() => this.send({ id, ...result }));
  }
}

/** jsdom does not implement modal dialogs. */
export function installDialog(): void {
  const prototype = HTMLDialogElement.prototype;
  prototype.showModal = function (this: HTMLDialogElement) {
    this.open = true;
    this.querySelector<HTMLElement>('button, a, input')?.focus();
  };
  prototype.close = function (this: HTMLDialogElement) {
    this.open = false;
  };
}

/** Shows widgets to Alice, in Berlin and in English. */
export function show(ui: ReactElement): void {
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <CalwireProvider
      apiUrl="http://localhost:8088"
      wsUrl="ws://localhost:8088/connection/websocket"
      getAuthToken={() => TOKEN}
      userId="alice"
      snapshot={false}
      queryClient={queryClient}
    >
      {ui}
    </CalwireProvider>,
  );
}

export const BERLIN = { timeZone: 'Europe/Berlin', locale: 'en-GB' } as const;

export function tidy(): void {
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
}
