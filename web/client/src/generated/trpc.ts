// Made from the table of procedures by `cargo test`. Do not edit.
import type { TRPCBuiltRouter, TRPCDefaultErrorShape, TRPCMutationProcedure, TRPCQueryProcedure } from '@trpc/server';

import type {
  CalendarList,
  Connect,
  ConnectInput,
  Disconnect,
  DisconnectInput,
  EventList,
  EventsInput,
  RealtimeState,
  RealtimeToken,
  SelectCalendarsInput,
  StateInput,
  Status,
  StopWatchCalendar,
  StopWatchCalendarInput,
  SubscriptionTokenInput,
  SyncActivity,
  SyncActivityInput,
  SyncNow,
  SyncNowInput,
  UpcomingEventsInput,
  WatchCalendar,
  WatchCalendarInput,
} from './types.js';

interface ErrorShape extends TRPCDefaultErrorShape {
  data: TRPCDefaultErrorShape['data'] & { reason?: string; issues?: { path: string; message: string }[] };
}

interface Root {
  ctx: object;
  meta: object;
  errorShape: ErrorShape;
  transformer: false;
}

type Query<I, O> = TRPCQueryProcedure<{ input: I; output: O; meta: object; errorShape: ErrorShape }>;
type Mutation<I, O> = TRPCMutationProcedure<{ input: I; output: O; meta: object; errorShape: ErrorShape }>;

export type AppRouter = TRPCBuiltRouter<
  Root,
  {
    calendar: {
      google: {
        getUpcomingEvents: Query<UpcomingEventsInput | void, EventList>;
        getEvents: Query<EventsInput, EventList>;
        listCalendars: Query<void, CalendarList>;
        selectCalendars: Mutation<SelectCalendarsInput, CalendarList>;
        syncNow: Mutation<SyncNowInput | void, SyncNow>;
        watchCalendar: Mutation<WatchCalendarInput | void, WatchCalendar>;
        stopWatchCalendar: Mutation<StopWatchCalendarInput, StopWatchCalendar>;
        connect: Mutation<ConnectInput | void, Connect>;
        disconnect: Mutation<DisconnectInput | void, Disconnect>;
        status: Query<void, Status>;
        getSyncActivity: Query<SyncActivityInput | void, SyncActivity>;
      };
    };
    realtime: {
      getConnectionToken: Query<void, RealtimeToken>;
      getSubscriptionToken: Query<SubscriptionTokenInput, RealtimeToken>;
      getState: Query<StateInput | void, RealtimeState>;
    };
  }
>;
