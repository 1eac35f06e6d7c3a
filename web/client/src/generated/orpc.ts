// Written by `cargo xtask types`.

import type { Client, ORPCError } from '@orpc/client';
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

export type ErrorCode =
  | 'PARSE_ERROR'
  | 'BAD_REQUEST'
  | 'UNAUTHORIZED'
  | 'PAYMENT_REQUIRED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'METHOD_NOT_SUPPORTED'
  | 'TIMEOUT'
  | 'CONFLICT'
  | 'PRECONDITION_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'UNPROCESSABLE_CONTENT'
  | 'PRECONDITION_REQUIRED'
  | 'TOO_MANY_REQUESTS'
  | 'CLIENT_CLOSED_REQUEST'
  | 'INTERNAL_SERVER_ERROR'
  | 'NOT_IMPLEMENTED'
  | 'BAD_GATEWAY'
  | 'SERVICE_UNAVAILABLE'
  | 'GATEWAY_TIMEOUT';

/** An error that `isDefinedError` recognises: one with a `reason`. */
export type DefinedError = ORPCError<ErrorCode, { reason: string; issues?: InputIssue[] }>;

type Procedure<Input, Output> = Client<Record<never, never>, Input, Output, Error | DefinedError>;

/** The table of procedures, for `createORPCClient`. */
export type AppClient = {
  calendar: {
    google: {
      connect: Procedure<ConnectInput | undefined, Connect>;
      createEvent: Procedure<CreateEventInput, WrittenEvent>;
      deleteData: Procedure<undefined, DeleteData>;
      deleteEvent: Procedure<DeleteEventInput, DeletedEvent>;
      disconnect: Procedure<DisconnectInput | undefined, Disconnect>;
      exportData: Procedure<ExportDataInput | undefined, DataExport>;
      getEvent: Procedure<EventInput, Event>;
      getEvents: Procedure<EventsInput, EventList>;
      getSyncActivity: Procedure<SyncActivityInput | undefined, SyncActivity>;
      getUpcomingEvents: Procedure<UpcomingEventsInput | undefined, EventList>;
      listCalendars: Procedure<undefined, CalendarList>;
      moveEvent: Procedure<MoveEventInput, WrittenEvent>;
      respondToEvent: Procedure<RespondToEventInput, WrittenEvent>;
      selectCalendars: Procedure<SelectCalendarsInput, CalendarList>;
      status: Procedure<undefined, Status>;
      stopWatchCalendar: Procedure<StopWatchCalendarInput, StopWatchCalendar>;
      syncNow: Procedure<SyncNowInput | undefined, SyncNow>;
      updateEvent: Procedure<UpdateEventInput, WrittenEvent>;
      watchCalendar: Procedure<WatchCalendarInput | undefined, WatchCalendar>;
    };
  };
  realtime: {
    getConnectionToken: Procedure<undefined, RealtimeToken>;
    getState: Procedure<RealtimeStateInput | undefined, RealtimeState>;
    getSubscriptionToken: Procedure<SubscriptionTokenInput, RealtimeToken>;
  };
};
