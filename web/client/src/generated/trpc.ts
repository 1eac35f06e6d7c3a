// Written by `cargo xtask types`.

import type { TRPCBuiltRouter, TRPCDefaultErrorShape, TRPCMutationProcedure, TRPCQueryProcedure } from '@trpc/server';
import type {
  CalendarList,
  Connect,
  ConnectInput,
  CreateEventInput,
  DataExport,
  DeleteData,
  DeleteEventInput,
  DeletedEvent,
  Disconnect,
  DisconnectInput,
  Event,
  EventInput,
  EventList,
  EventsInput,
  ExportDataInput,
  InputIssue,
  MoveEventInput,
  RealtimeState,
  RealtimeStateInput,
  RealtimeToken,
  RespondToEventInput,
  SelectCalendarsInput,
  Status,
  StopWatchCalendar,
  StopWatchCalendarInput,
  SubscriptionTokenInput,
  SyncActivity,
  SyncActivityInput,
  SyncNow,
  SyncNowInput,
  UpcomingEventsInput,
  UpdateEventInput,
  WatchCalendar,
  WatchCalendarInput,
  WrittenEvent,
} from './types.js';

/** What an error's `shape` is: `data.reason` is a code for programs, `data.issues` lists the problems of the input. */
export interface ErrorShape extends TRPCDefaultErrorShape {
  data: TRPCDefaultErrorShape['data'] & { reason?: string; issues?: InputIssue[] };
}

/** Plain JSON: clients with a transformer are not supported. */
interface Root {
  ctx: object;
  meta: object;
  errorShape: ErrorShape;
  transformer: false;
}

interface Definition<Input, Output> {
  input: Input;
  output: Output;
  meta: object;
  errorShape: ErrorShape;
}

type Query<Input, Output> = TRPCQueryProcedure<Definition<Input, Output>>;
type Mutation<Input, Output> = TRPCMutationProcedure<Definition<Input, Output>>;

/** The table of procedures, for `createTRPCClient`. */
export type AppRouter = TRPCBuiltRouter<
  Root,
  {
    calendar: {
      google: {
        connect: Mutation<ConnectInput | undefined, Connect>;
        createEvent: Mutation<CreateEventInput, WrittenEvent>;
        deleteData: Mutation<undefined, DeleteData>;
        deleteEvent: Mutation<DeleteEventInput, DeletedEvent>;
        disconnect: Mutation<DisconnectInput | undefined, Disconnect>;
        exportData: Query<ExportDataInput | undefined, DataExport>;
        getEvent: Query<EventInput, Event>;
        getEvents: Query<EventsInput, EventList>;
        getSyncActivity: Query<SyncActivityInput | undefined, SyncActivity>;
        getUpcomingEvents: Query<UpcomingEventsInput | undefined, EventList>;
        listCalendars: Query<undefined, CalendarList>;
        moveEvent: Mutation<MoveEventInput, WrittenEvent>;
        respondToEvent: Mutation<RespondToEventInput, WrittenEvent>;
        selectCalendars: Mutation<SelectCalendarsInput, CalendarList>;
        status: Query<undefined, Status>;
        stopWatchCalendar: Mutation<StopWatchCalendarInput, StopWatchCalendar>;
        syncNow: Mutation<SyncNowInput | undefined, SyncNow>;
        updateEvent: Mutation<UpdateEventInput, WrittenEvent>;
        watchCalendar: Mutation<WatchCalendarInput | undefined, WatchCalendar>;
      };
    };
    realtime: {
      getConnectionToken: Query<undefined, RealtimeToken>;
      getState: Query<RealtimeStateInput | undefined, RealtimeState>;
      getSubscriptionToken: Query<SubscriptionTokenInput, RealtimeToken>;
    };
  }
>;
