/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- code that must not compile has no types */
/** The types as the real clients infer them. Checked by `npm run typecheck`; nothing here runs. */
import { isDefinedError, safe } from '@orpc/client';
import { createTRPCClient, httpBatchLink, httpLink, TRPCClientError } from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import { expectTypeOf } from 'vitest';

import {
  type CalendarEvent,
  channelOf,
  type EventInstances,
  type EventList,
  flatten,
  type Message,
  type RealtimeState,
} from '../src/index.js';
import type { AppClient } from '../src/orpc.js';
import { useCentrifugo, useEvents, useUpcomingEvents } from '../src/react.js';
import type { AppRouter } from '../src/trpc.js';

export async function trpc(): Promise<void> {
  const client = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: '/trpc' })] });
  const { google } = client.calendar;
  expectTypeOf(await google.getUpcomingEvents.query()).toEqualTypeOf<EventList>();
  expectTypeOf(await google.getUpcomingEvents.query({ days: 7, maxResults: 20 })).toEqualTypeOf<EventList>();
  expectTypeOf(await client.realtime.getState.query()).toExtend<RealtimeState>();
  await google.selectCalendars.mutate({ calendarIds: ['a'], selected: false });
  // @ts-expect-error there is no such procedure
  await google.getNothing.query();
  // @ts-expect-error a mutation is no query
  await google.connect.query();
  // @ts-expect-error days are a number
  await google.getUpcomingEvents.query({ days: '7' });
  // @ts-expect-error the calendars have to be named
  await google.selectCalendars.mutate({ selected: true });
  // @ts-expect-error it needs a range
  await google.getEvents.query();
  // @ts-expect-error the API speaks plain JSON, so a client with a transformer does not fit
  httpLink<AppRouter>({ url: '/trpc', transformer: { serialize: String, deserialize: Number } });

  expectTypeOf<inferRouterOutputs<AppRouter>['calendar']['google']['getEvents']>().toEqualTypeOf<EventList>();
  expectTypeOf<inferRouterInputs<AppRouter>['realtime']['getSubscriptionToken']>().toEqualTypeOf<{ channel: string }>();
  const error: unknown = null;
  if (error instanceof TRPCClientError) {
    const { data } = error as TRPCClientError<AppRouter>;
    expectTypeOf(data?.reason).toEqualTypeOf<string | undefined>();
  }
}

export async function orpc(client: AppClient): Promise<void> {
  const { google } = client.calendar;
  expectTypeOf(await google.getUpcomingEvents()).toEqualTypeOf<EventList>();
  expectTypeOf(await google.getUpcomingEvents({ days: 7 })).toEqualTypeOf<EventList>();
  const { error } = await safe(google.listCalendars());
  if (isDefinedError(error)) expectTypeOf(error.data.reason).toEqualTypeOf<string>();
  // @ts-expect-error there is no such procedure
  await google.getNothing();
  // @ts-expect-error days are a number
  await google.getUpcomingEvents({ days: '7' });
  // @ts-expect-error it needs a range
  await google.getEvents();
}

export function Hooks(): null {
  const { events } = useUpcomingEvents({ days: 7 });
  expectTypeOf(events).toEqualTypeOf<CalendarEvent[]>();
  // @ts-expect-error it needs an end
  useEvents({ from: new Date() });
  useCentrifugo<Message>(channelOf('alice'), (message, { offset }) => {
    expectTypeOf(message.seq).toEqualTypeOf<number>();
    expectTypeOf(offset).toEqualTypeOf<number | undefined>();
    if (message.type === 'events.changed')
      expectTypeOf(message.upserted[0]?.events).toEqualTypeOf<EventInstances[] | undefined>();
    // @ts-expect-error only a change of events has them
    else expectTypeOf(message.upserted);
  });
  expectTypeOf(flatten('c', { eventId: 'e', instances: [] })).toEqualTypeOf<CalendarEvent[]>();
  return null;
}
