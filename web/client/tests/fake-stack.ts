/**
 * Fakes of calendar-api and Centrifugo for the real @trpc/client and centrifuge. Only `fetch` and `WebSocket` are replaced.
 */
import { vi } from 'vitest';

import type { CalendarInfo, Message, RealtimeStateInput } from '../src/generated/types.js';
import { ModelServer } from './model-server.js';

export const API_URL = 'https://calwire.test';
export const WS_URL = 'wss://calwire.test/connection/websocket';

export interface Call {
  path: string;
  input: unknown;
  userId: string;
  credentials: string | undefined;
  method: string | undefined;
}

class Rejection extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly reason?: string,
  ) {
    super(code);
  }
}

export function tokenOf(userId: string, version = 1): string {
  const payload = btoa(JSON.stringify({ sub: userId, version }))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
  return `header.${payload.replace(/=+$/, '')}.signature`;
}

function userOf(token: string): string {
  return (JSON.parse(atob(token.split('.')[1] ?? '')) as { sub: string }).sub;
}

export class FakeStack {
  readonly users = new Map<string, ModelServer>();
  readonly calls: Call[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly subscribed: string[] = [];
  readonly published = new Map<string, { offset: number; data: Message }[]>();
  /** While false, requests fail without a response. */
  apiUp = true;
  brokerUp = true;
  /** Users whose tokens are rejected. */
  readonly rejected = new Set<string>();
  /** Procedures that fail, with their error codes. */
  readonly failing = new Map<string, string>();
  #gate: Promise<unknown> = Promise.resolve();

  install(): void {
    vi.stubGlobal('fetch', (input: string, init?: RequestInit) => this.#fetch(input, init));
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the socket's constructor has a `this` of its own
    const stack = this;
    vi.stubGlobal(
      'WebSocket',
      class extends FakeSocket {
        constructor() {
          super(stack);
        }
      },
    );
  }

  /** Delays all responses, which are made before, until the returned function is called. */
  hold(): () => void {
    let open: (value?: unknown) => void = () => undefined;
    this.#gate = new Promise((resolve) => (open = resolve));
    return () => open();
  }

  user(userId: string): ModelServer {
    let server = this.users.get(userId);
    if (!server) {
      server = new ModelServer(Date.now());
      this.users.set(userId, server);
    }
    return server;
  }

  callsTo(path: string): Call[] {
    return this.calls.filter((call) => call.path === path);
  }

  get openSockets(): FakeSocket[] {
    return this.sockets.filter(({ readyState }) => readyState < 2);
  }

  publish(userId: string, message: Message): void {
    const channel = `calendar:${userId}`;
    const publication = { offset: this.user(userId).offset, data: message };
    const published = this.published.get(channel) ?? [];
    published.push(publication);
    this.published.set(channel, published);
    for (const socket of this.openSockets) socket.push(channel, publication);
  }

  /** Breaks all open sockets, as a network failure does. */
  breakSockets(): void {
    for (const socket of this.openSockets) socket.break();
  }

  async #fetch(address: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(address);
    const paths = url.pathname.replace('/trpc/', '').split(',');
    const inputs = JSON.parse(url.searchParams.get('input') ?? (init.body as string | undefined) ?? '{}') as Record<
      string,
      unknown
    >;
    const token = new Headers(init.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    const userId = userOf(token);
    const { credentials, method } = init;
    const inputOf = (i: number) => (url.searchParams.has('batch') ? inputs[i] : inputs);
    const calls = paths.map((path, i) => ({ path, input: inputOf(i), userId, credentials, method }));
    this.calls.push(...calls);
    if (!this.apiUp) throw new TypeError('Failed to fetch');
    const answers = calls.map((call) => this.#answer(call));
    await this.#gate;
    return new Response(JSON.stringify(answers), { status: 207, headers: { 'content-type': 'application/json' } });
  }

  #answer(call: Call): unknown {
    try {
      const code = this.failing.get(call.path);
      if (code) throw new Rejection(code, 500);
      if (this.rejected.has(call.userId)) throw new Rejection('UNAUTHORIZED', 401);
      return { result: { data: this.#result(call) } };
    } catch (error) {
      const { code, status, reason } = error as Rejection;
      const data = { code, httpStatus: status, path: call.path, ...(reason && { reason }) };
      return { error: { message: code, code: -32_000, data } };
    }
  }

  #result({ path, input, userId }: Call): unknown {
    const server = this.user(userId);
    const flags = { connected: server.connected, hasCalendarAccess: server.connected };
    const asOf = { asOf: server.freshness[0]?.asOf ?? null, mode: 'push' };
    switch (path) {
      case 'realtime.getConnectionToken':
        return { token: `connection ${userId}`, expiresIn: 900 };
      case 'realtime.getSubscriptionToken':
        return { token: `subscription ${userId}`, expiresIn: 300 };
      case 'realtime.getState': {
        const asked = (input ?? {}) as RealtimeStateInput;
        if (asked.live !== false && !this.brokerUp)
          throw new Rejection('SERVICE_UNAVAILABLE', 503, 'BROKER_UNAVAILABLE');
        return server.state(asked);
      }
      case 'calendar.google.getEvents':
      case 'calendar.google.getUpcomingEvents': {
        const { from, to } = input as { from?: string; to?: string };
        const all = [...server.calendars.values()].flatMap((calendar) => [...calendar.values()].flat());
        const events = all.filter(({ start, end }) => !from || !to || (start < to && end > from));
        return { ...flags, ...asOf, events, truncated: false, calendars: server.freshness };
      }
      case 'calendar.google.getEvent': {
        const { calendarId, eventId } = input as { calendarId: string; eventId: string };
        const event = server.calendars.get(calendarId)?.get(eventId)?.[0];
        if (!event) throw new Rejection('NOT_FOUND', 404);
        return event;
      }
      case 'calendar.google.listCalendars':
        return { ...flags, calendars: this.#calendars(server) };
      case 'calendar.google.selectCalendars': {
        const { calendarIds, selected } = input as { calendarIds: string[]; selected: boolean };
        for (const id of calendarIds) {
          if (selected) server.unselected.delete(id);
          else server.unselected.add(id);
        }
        return { ...flags, calendars: this.#calendars(server) };
      }
      case 'calendar.google.status':
        return { ...flags, ...asOf, connections: [], pushAvailable: true, calendars: server.freshness };
      case 'calendar.google.getSyncActivity':
        return { calendars: [] };
      case 'calendar.google.syncNow':
        return { success: true, queued: 1 };
      case 'calendar.google.deleteEvent': {
        const { calendarId, eventId } = input as { calendarId: string; eventId: string };
        this.publish(userId, server.change(calendarId, eventId, []));
        return { deleted: true, pending: false, intentId: 'intent' };
      }
      case 'calendar.google.connect':
        return { url: 'https://accounts.google.test/consent' };
      case 'calendar.google.disconnect':
        server.connected = false;
        return { success: true, connectionIds: [] };
      default:
        throw new Rejection('NOT_FOUND', 404);
    }
  }

  #calendars(server: ModelServer): CalendarInfo[] {
    return [...server.calendars.keys()].map((id) => ({
      id,
      connectionId: 'connection',
      googleId: `${id}@example.com`,
      summary: id,
      description: null,
      timeZone: 'UTC',
      colorId: null,
      backgroundColor: '#0b8043',
      foregroundColor: '#ffffff',
      accessRole: 'owner',
      primary: id === 'work',
      selected: !server.unselected.has(id),
      accessLost: false,
      pushSupported: true,
      freshness: server.freshness.find(({ calendarId }) => calendarId === id) ?? null,
    }));
  }
}

interface Command {
  id: number;
  connect?: { token: string };
  subscribe?: { channel: string; token?: string; recover?: boolean; offset?: number; epoch?: string };
  unsubscribe?: { channel: string };
}

/** The part of Centrifugo's JSON protocol that the SDK uses here. */
export class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly channels = new Set<string>();
  userId = '';
  readonly #stack: FakeStack;
  #pings: ReturnType<typeof setInterval> | undefined;

  constructor(stack: FakeStack) {
    this.#stack = stack;
    stack.sockets.push(this);
    setTimeout(() => (stack.brokerUp ? this.#open() : this.break()), 1);
  }

  send(frame: string): void {
    for (const line of frame.split('\n').filter((line) => line !== '{}')) this.#answer(JSON.parse(line) as Command);
  }

  close(): void {
    if (this.readyState >= 2) return;
    this.readyState = 3;
    clearInterval(this.#pings);
    setTimeout(() => this.onclose?.({ code: 1000, reason: '' }), 0);
  }

  break(): void {
    if (this.readyState >= 2) return;
    this.readyState = 3;
    clearInterval(this.#pings);
    this.onclose?.({ code: 1006, reason: '' });
  }

  push(channel: string, pub: { offset: number; data: unknown }): void {
    if (this.channels.has(channel)) this.#reply({ push: { channel, pub } });
  }

  #open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.();
    this.#pings = setInterval(() => this.#reply({}), 25_000);
  }

  #answer({ id, connect, subscribe, unsubscribe }: Command): void {
    if (connect) {
      this.userId = connect.token.replace('connection ', '');
      this.#reply({
        id,
        connect: { client: `client-${this.#stack.sockets.length}`, version: '6.9.1', ping: 25, pong: true },
      });
    } else if (subscribe) {
      this.#reply({ id, ...this.#subscribe(subscribe) });
    } else if (unsubscribe) {
      this.channels.delete(unsubscribe.channel);
      this.#reply({ id, unsubscribe: {} });
    }
  }

  #subscribe({ channel, recover, offset = 0, epoch }: NonNullable<Command['subscribe']>): object {
    this.#stack.subscribed.push(channel);
    const server = this.#stack.users.get(channel.replace('calendar:', ''));
    const current = server?.brokerEpoch ?? 'epoch';
    if (recover && epoch !== current) return { error: { code: 112, message: 'unrecoverable position' } };
    this.channels.add(channel);
    const missed = (this.#stack.published.get(channel) ?? []).filter((publication) => publication.offset > offset);
    const recovery = recover ? { recovered: true, was_recovering: true, publications: missed } : {};
    return {
      subscribe: { recoverable: true, positioned: true, epoch: current, offset: server?.offset ?? 0, ...recovery },
    };
  }

  #reply(reply: object): void {
    setTimeout(() => {
      if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(reply) });
    }, 0);
  }
}
