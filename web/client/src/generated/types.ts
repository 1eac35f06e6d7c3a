// Written by `cargo xtask types`.

export type Attendee = {
  email: string | null;
  displayName: string | null;
  self: boolean;
  optional: boolean;
  /** `needsAction`, `declined`, `tentative` or `accepted`. */
  responseStatus: string;
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

export type CalendarList = {
  connected: boolean;
  hasCalendarAccess: boolean;
  /** The primary ones first, then by name. */
  calendars: Array<CalendarInfo>;
};

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
  | {
      type: 'resync';
      calendarId: string;
    }
  | {
      type: 'calendars.changed';
    }
  | {
      type: 'connection.changed';
      connectionId: string;
      state: ConnectionState;
    };

export type Connect = {
  /**
   * Google's consent page. Send the browser there: the same one, for it was given a cookie with this answer. (A page
   * of another origin has to call with `credentials: "include"`.)
   */
  url: string;
};

export type ConnectInput = {
  /**
   * The page to come back to, as a path of the application that calls: `/settings?tab=calendar`. It gets
   * `?calwire=connected`, `denied` or `error`. A `calwire_reason` beside it says more: `scope_missing` when the user is
   * connected and unticked the calendar; in an error `invalid_state`, `expired_state`, `other_browser`, `code_missing`,
   * `code_rejected`, `refresh_token_missing`, `refused_by_google`, `google_unavailable`, `misconfigured` or `internal`.
   */
  returnTo?: string | undefined;
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

/** The state of one connected Google account, derived from evidence. */
export type ConnectionState =
  'healthy' | 'importing' | 'delayed' | 'reauth_required' | 'scope_missing' | 'disconnected';

export type Disconnect = {
  success: boolean;
  connectionIds: Array<string>;
};

export type DisconnectInput = {
  /** Left out: all of the user's accounts. */
  connectionId?: string | undefined;
};

/** One instance of an event, as people see it in a calendar. */
export type Event = {
  /**
   * Google's id of this instance, unique in its calendar. For an instance of a series it is
   * `<master>_<original start in UTC>`.
   */
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

export type EventStatus = 'confirmed' | 'tentative' | 'cancelled';

export type EventsInput = {
  from: string;
  /** Exclusive. */
  to: string;
  calendarIds?: Array<string> | undefined;
  /** Which days are all-day events on, by IANA name. Left out: the primary calendar's zone. */
  timeZone?: string | undefined;
};

/** How current one calendar's data is. */
export type Freshness = {
  calendarId: string;
  /** The data is as Google had it at this moment, or later. `null`: never pulled yet. */
  asOf: string | null;
  mode: Mode;
};

/** One thing that is wrong with an input. */
export type InputIssue = {
  /** Where: `days`, `calendarIds[2]`, or empty for the input as a whole. */
  path: string;
  message: string;
};

/** What goes out on the channel `calendar:<userId>`. `seq` rises by one from message to message. */
export type Message = {
  v: number;
  seq: number;
} & Change;

/** How a calendar is being kept current. */
export type Mode = 'push' | 'polling' | 'stale' | 'paused';

export type Person = {
  email: string | null;
  displayName: string | null;
  self: boolean;
};

/** What a browser begins with, and where on its channel it goes on from there. */
export type RealtimeState = {
  /** The channel's position in Centrifugo, for `getState` of a subscription. `null` where it was not asked for. */
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

export type RealtimeStateInput = {
  /**
   * `false`: without the channel's position, for a page that shows what there is while Centrifugo is away. A
   * subscription cannot begin there.
   */
  live?: boolean | undefined;
};

export type RealtimeToken = {
  token: string;
  /** In seconds. */
  expiresIn: number;
};

export type SelectCalendarsInput = {
  calendarIds: Array<string>;
  /** Whether these are to be kept current and shown; the others stay as they are. */
  selected?: boolean | undefined;
};

/**
 * All instances of one event within a window: one for a single event, any number for a series. They replace whatever
 * the receiver had under `eventId`, which is the master's id for a series.
 */
export type Series = {
  eventId: string;
  occurrences: Array<Event>;
};

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

export type StopWatchCalendar = {
  success: boolean;
};

export type StopWatchCalendarInput = {
  channelId: string;
  resourceId: string;
};

export type SubscriptionTokenInput = {
  /** The user's own: `calendar:<user id>`. */
  channel: string;
};

export type SyncNow = {
  success: boolean;
  /** How many pulls this asked for; one that was waiting already is not counted. */
  queued: number;
};

export type SyncNowInput = {
  /** Left out: all, and the list of calendars. */
  calendarIds?: Array<string> | undefined;
};

export type UpcomingEventsInput = {
  /** Local days: 0 is from now to the end of today, 1 to the end of tomorrow. */
  days?: number | undefined;
  maxResults?: number | undefined;
  /** Left out: the selected ones. */
  calendarIds?: Array<string> | undefined;
  /** Whose days are meant, by IANA name. Left out: the primary calendar's zone. */
  timeZone?: string | undefined;
};

export type WatchCalendar = {
  channelId: string;
  /** Google's opaque id of what is watched. */
  resourceId: string;
  /** Milliseconds since 1970, as a string, as Google writes it. */
  expiration: string;
};

export type WatchCalendarInput = {
  /** Left out: the primary one. */
  calendarId?: string | undefined;
};

/** A span of time, `from` inclusive, `to` exclusive. */
export type Window = {
  from: string;
  to: string;
};
