// Made from the Rust structs by `cargo test`. Do not edit.

/** One instance of an event, as people see it in a calendar. */
export type Event = {
  /** Google's id of this instance, unique in its calendar. For an instance of a series it is `<master>_<original start in UTC>`. */
  id: string;
  title: string;
  /** RFC 3339 with the event zone's offset, or a date (`2026-11-22`) when `allDay`. */
  start: string;
  /** As `start`; the end of an all-day event is exclusive. */
  end: string;
  allDay: boolean;
  /** The IANA zone the event was made in; none for an all-day event. */
  timeZone: string | null;
  description: string | null;
  location: string | null;
  htmlLink: string | null;
  calendarId: string;
  /** The event that an edit of this instance is based on: a single event, an exception, or the master. */
  eventId: string;
  /** The master's id, for an instance of a series. */
  recurringEventId: string | null;
  status: EventStatus;
  /** `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`, or what Google adds next. */
  eventType: string;
  colorId: string | null;
  attendees: Array<Attendee>;
  organizer: Person | null;
  /** Where to join a video meeting, if there is one. */
  conferenceUrl: string | null;
  /** The fields that this user may change here, in Google's rules. Empty: read only. */
  canEdit: Array<string>;
  /** The version that an edit is based on. */
  etag: string;
  iCalUID: string | null;
};

export type EventStatus = 'confirmed' | 'tentative' | 'cancelled';

export type Person = { email: string | null; displayName: string | null; self: boolean };

export type Attendee = {
  email: string | null;
  displayName: string | null;
  self: boolean;
  optional: boolean;
  /** `needsAction`, `declined`, `tentative` or `accepted`. */
  responseStatus: string;
};

/** How a calendar is being kept current. */
export type Mode = 'push' | 'polling' | 'stale' | 'paused';

/** How current one calendar's data is. */
export type Freshness = {
  calendarId: string;
  /** The data is as Google had it at this moment, or later. None: never pulled yet. */
  asOf: string | null;
  mode: Mode;
};

/** The state of one connected Google account, derived from evidence. */
export type ConnectionState =
  'healthy' | 'importing' | 'delayed' | 'reauth_required' | 'scope_missing' | 'disconnected';

/** What goes out on the channel `calendar:<userId>`. `seq` rises by one from message to message. */
export type Message = { v: number; seq: number } & Change;

export type Change =
  | {
      type: 'events.changed';
      calendarId: string;
      asOf: string;
      window: Window;
      upserted: Array<Series>;
      /** Series ids that have no instance any more. */
      deleted: Array<string>;
    }
  | { type: 'resync'; calendarId: string }
  | { type: 'calendars.changed' }
  | { type: 'connection.changed'; connectionId: string; state: ConnectionState };

/** A span of time, `from` inclusive, `to` exclusive. */
export type Window = { from: string; to: string };

/** All instances of one event within a window. They replace whatever the receiver had under `eventId`, which is the master's id for a series. */
export type Series = { eventId: string; occurrences: Array<Event> };

export type UpcomingEventsInput = {
  /** Local days: 0 is from now to the end of today, 1 to the end of tomorrow. */
  days?: number;
  maxResults?: number;
  /** None: the selected ones. */
  calendarIds?: Array<string>;
  /** Whose days are meant, by IANA name. None: the primary calendar's zone. */
  timeZone?: string;
};

export type EventsInput = {
  from: string;
  /** Exclusive. */
  to: string;
  calendarIds?: Array<string>;
  /** Which days are all-day events on, by IANA name. None: the primary calendar's zone. */
  timeZone?: string;
};

export type EventList = {
  /** There is a connected Google account. Without one there are no events, which is no error. */
  connected: boolean;
  /** The user granted access to the calendar. */
  hasCalendarAccess: boolean;
  events: Array<Event>;
  /** There are more than were returned. */
  truncated: boolean;
  /** The least current calendar's. */
  asOf: string | null;
  mode: Mode;
  calendars: Array<Freshness>;
};

export type CalendarList = {
  connected: boolean;
  hasCalendarAccess: boolean;
  /** The primary ones first, then by name. */
  calendars: Array<CalendarInfo>;
};

export type CalendarInfo = {
  id: string;
  connectionId: string;
  googleId: string;
  summary: string;
  description: string | null;
  timeZone: string;
  colorId: string | null;
  backgroundColor: string | null;
  foregroundColor: string | null;
  /** `freeBusyReader`, `reader`, `writerWithoutPrivateAccess`, `writer` or `owner`. */
  accessRole: string;
  primary: boolean;
  /** Kept current and shown. */
  selected: boolean;
  /** Google no longer shows it to the account; what we have of it stays readable. */
  accessLost: boolean;
  /** Google can tell us of its changes. */
  pushSupported: boolean;
  freshness: Freshness | null;
};

export type SelectCalendarsInput = {
  calendarIds: Array<string>;
  /** Whether these are to be kept current and shown; the others stay as they are. */
  selected?: boolean;
};

export type SyncNowInput = {
  /** None: all, and the list of calendars. */
  calendarIds?: Array<string>;
};

export type SyncNow = { success: boolean; queued: number };

export type ConnectInput = { returnTo?: string };

export type Connect = { url: string };

export type DisconnectInput = { connectionId?: string };

export type Disconnect = { success: boolean; connectionIds: Array<string> };

export type Status = {
  connected: boolean;
  hasCalendarAccess: boolean;
  connections: Array<ConnectionInfo>;
  /** Google can reach this installation; otherwise it is asked every now and then. */
  pushAvailable: boolean;
  asOf: string | null;
  mode: Mode;
  /** The selected calendars. */
  calendars: Array<Freshness>;
};

export type ConnectionInfo = {
  id: string;
  email: string;
  state: ConnectionState;
  hasCalendarAccess: boolean;
  /** The user let us change events too. */
  canWrite: boolean;
  createdAt: string;
};

export type WatchCalendarInput = { calendarId?: string };

export type WatchCalendar = { channelId: string; resourceId: string; expiration: string };

export type StopWatchCalendarInput = { channelId: string; resourceId: string };

export type StopWatchCalendar = { success: boolean };

export type RealtimeToken = {
  token: string;
  /** In seconds. */
  expiresIn: number;
};

export type SubscriptionTokenInput = { channel: string };

export type StateInput = {
  /** false: without the position on the channel, which needs the broker. */
  live?: boolean;
};

/** What a browser begins with, and where on its channel it goes on from there. */
export type RealtimeState = {
  /** The channel's position in Centrifugo, for `getState` of a subscription. */
  epoch: string | null;
  offset: number | null;
  /** The last message that the snapshot contains: those up to it are to be ignored. */
  seq: number;
  /** `seq` counts within it: with another one, start anew. */
  streamEpoch: string;
  connected: boolean;
  hasCalendarAccess: boolean;
  asOf: string | null;
  mode: Mode;
  /** The selected ones. */
  calendars: Array<Freshness>;
  /** What `events` covers. */
  window: Window;
  events: Array<Event>;
  /** There are more events than a snapshot holds; ask for the time that is shown. */
  truncated: boolean;
};

export type SyncActivityInput = { calendarIds?: Array<string> };

export type SyncActivity = { calendars: Array<CalendarActivity> };

export type CalendarActivity = {
  calendarId: string;
  mode: Mode;
  asOf: string | null;
  watch: WatchActivity | null;
  nextPollAt: string | null;
  lastError: string | null;
  /** The newest first. */
  rounds: Array<SyncRound>;
};

export type WatchActivity = { expiresAt: string };

export type SyncRound = {
  cause: string;
  askedAt: string;
  startedAt: string | null;
  committedAt: string | null;
  publishedAt: string | null;
  pages: number;
  changed: number;
  deleted: number;
  seq: number | null;
  outcome: string;
};
