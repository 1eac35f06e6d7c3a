// Made from the table of procedures by `cargo test`. Do not edit.
import type { Client, ORPCError } from '@orpc/client';

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

interface ErrorData {
  reason?: string;
  issues?: { path: string; message: string }[];
}

type Call<I, O> = Client<Record<never, never>, I, O, Error | ORPCError<string, ErrorData | undefined>>;

export type AppClient = {
  calendar: {
    google: {
      getUpcomingEvents: Call<UpcomingEventsInput | undefined, EventList>;
      getEvents: Call<EventsInput, EventList>;
      listCalendars: Call<undefined, CalendarList>;
      selectCalendars: Call<SelectCalendarsInput, CalendarList>;
      syncNow: Call<SyncNowInput | undefined, SyncNow>;
      watchCalendar: Call<WatchCalendarInput | undefined, WatchCalendar>;
      stopWatchCalendar: Call<StopWatchCalendarInput, StopWatchCalendar>;
      connect: Call<ConnectInput | undefined, Connect>;
      disconnect: Call<DisconnectInput | undefined, Disconnect>;
      status: Call<undefined, Status>;
      getSyncActivity: Call<SyncActivityInput | undefined, SyncActivity>;
    };
  };
  realtime: {
    getConnectionToken: Call<undefined, RealtimeToken>;
    getSubscriptionToken: Call<SubscriptionTokenInput, RealtimeToken>;
    getState: Call<StateInput | undefined, RealtimeState>;
  };
};
