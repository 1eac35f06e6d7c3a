// Written by `cargo xtask types`.

export type Attendee = {
  email: string | null;
  displayName: string | null;
  self: boolean;
  optional: boolean;
  /** `needsAction`, `declined`, `tentative` or `accepted`. */
  responseStatus: string;
};

export type CalendarActivity = {
  calendarId: string;
  mode: Mode;
  asOf: string | null;
  /** The channel on which Google pushes. `null`: there is none. */
  watch: WatchActivity | null;
  /** Google's last push about this calendar; exact to ten seconds in a burst. */
  lastPushAt: string | null;
  /** When it is asked for at the latest, push or no push. */
  nextPollAt: string | null;
  /** Since when a pull is due, if one is. */
  dueSince: string | null;
  /** Why the last pull failed. `null`: it did not. */
  lastError: SyncError | null;
  /** Tries since the last pull that succeeded, one that is under way included. */
  attempts: number;
  /** The newest first. */
  rounds: Array<SyncRound>;
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
  /** Google no longer shows it to the account; nor is it shown here, until Google does again. */
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
    }
  | {
      type: 'write.resolved';
      idempotencyKey: string;
      intentId: string;
      state: WriteState;
      /** Why it failed, as an error's `data.reason`. */
      reason: string | null;
    };

export type ConferenceInput = 'meet';

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

export type CreateEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** With a `start` and an `end`. */
  event: EventPatch;
  /** Whom Google mails. None: nobody. */
  sendUpdates?: SendUpdates | undefined;
};

/**
 * A page of all that is kept of a user. The pages together, list by list, are the whole; each is as things were when it
 * was read. A row has the columns of its table, but for tokens, their digests and leases. What is worked out from these
 * (the instances of events) is left out.
 */
export type DataExport = {
  userId: string;
  exportedAt: string;
  /** The Google accounts, without their tokens. On the first page, as what follows up to `connectFlows`. */
  connections: Array<Record<string, unknown>>;
  calendars: Array<Record<string, unknown>>;
  /** How far each calendar, and each account's list of calendars, has been read. */
  syncState: Array<Record<string, unknown>>;
  /** Push channels at Google. */
  watches: Array<Record<string, unknown>>;
  /** How many messages the user's browsers have been sent. */
  userStream: Array<Record<string, unknown>>;
  /** Connecting an account was begun, and has not ended yet. */
  connectFlows: Array<Record<string, unknown>>;
  /** Each with its `event` as Google has it. */
  events: Array<Record<string, unknown>>;
  /** What events were before their changes of the last day. */
  eventVersions: Array<Record<string, unknown>>;
  /** Changes that the user asked for, in the last day. */
  writeIntents: Array<Record<string, unknown>>;
  /** The last pulls of each calendar. */
  syncRounds: Array<Record<string, unknown>>;
  /** Messages that have not reached the broker. */
  messages: Array<Record<string, unknown>>;
  /** Asks for the next page; `null`: this is the last one. */
  nextCursor: string | null;
};

export type DeleteData = {
  success: boolean;
  /** The accounts that were disconnected by it, one by one. */
  receipts: Array<DisconnectReceipt>;
  /** Nothing is kept of the user any more, but for `grantsLeft`. */
  deleted: boolean;
  /**
   * Google accounts of which the identity and the sealed token are kept until Google has taken the grant back, for a day
   * at most.
   */
  grantsLeft: number;
  /**
   * The broker has forgotten the messages that browsers which were away could have caught up on. If not, it does so
   * within an hour.
   */
  liveHistoryDeleted: boolean;
};

export type DeleteEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
  /** None: whatever it has become. */
  baseEtag?: string | undefined;
  /** Of a series. None: the instance alone. */
  scope?: SeriesScope | undefined;
  /** Whom Google mails. None: nobody. */
  sendUpdates?: SendUpdates | undefined;
};

export type DeletedEvent = {
  /** Not yet while `pending`. */
  deleted: boolean;
  pending: boolean;
  intentId: string;
};

export type Disconnect = {
  success: boolean;
  connectionIds: Array<string>;
  /** What was done, account by account. */
  receipts: Array<DisconnectReceipt>;
};

export type DisconnectInput = {
  /** Left out: all of the user's accounts. */
  connectionId?: string | undefined;
};

/** What became of a disconnected account, at the moment of the answer. What is not done by then is finished by itself. */
export type DisconnectReceipt = {
  connectionId: string;
  email: string;
  channels: StoppedChannels;
  grant: GrantEnd;
  data: ForgottenData;
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
  /** Whether its time is taken. */
  transparency: Transparency;
  colorId: string | null;
  attendees: Array<Attendee>;
  organizer: Person | null;
  /** Where to join a video meeting, if there is one. */
  conferenceUrl: string | null;
  /** RRULE, EXDATE and RDATE lines: of an event that repeats, or of the series that this is an unchanged instance of. */
  recurrence: Array<string>;
  /** None: Google says nothing. */
  reminders: Reminders | null;
  /** The fields that this user may change here, in Google's rules. Empty: read only. */
  canEdit: Array<string>;
  /** The version that an edit is based on. */
  etag: string;
  /** The same meeting has the same one in every calendar that has a copy of it; so have all instances of a series. */
  iCalUID: string | null;
  /** Which copy of a meeting is shown where several calendars have one: that with the lowest number. See `Event.copies`. */
  copyRank?: number | undefined;
  /**
   * Where several calendars have a copy of this instance and an answer has each meeting once: all copies, this one
   * first. It is the one to answer from: that of the account which is asked for an answer, else of the one which
   * organizes, has accepted, has declined; else the one in an account's own calendar; else the one of which the account
   * may do the most; else the one in the calendar that has been known for longest. Copies are what has the same
   * `iCalUID` and, in a series, the same original start.
   */
  copies?: Array<EventCopy> | undefined;
};

/** A copy of a meeting in one of several calendars. */
export type EventCopy = {
  calendarId: string;
  /** As the `id` of its Event. */
  id: string;
  eventId: string;
  /** What the calendar's owner has answered to the invitation; none where that is no guest. */
  responseStatus: string | null;
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

/** The fields to change; one that is absent stays as it is, `null` clears it. */
export type EventPatch = {
  title?: string | null | undefined;
  /**
   * RFC 3339 (or wall-clock time of `timeZone`, without an offset), or a date. Without an `end` the event keeps its
   * length.
   */
  start?: string | undefined;
  /** As `start`; the end of an all-day event is exclusive. */
  end?: string | undefined;
  /** Needed only to say that nothing else would: a start without a time makes an event all-day. */
  allDay?: boolean | undefined;
  /** An IANA name. */
  timeZone?: string | undefined;
  description?: string | null | undefined;
  location?: string | null | undefined;
  colorId?: string | null | undefined;
  /** The whole list. What guests answered stays; somebody who is missing is uninvited. */
  attendees?: Array<GuestInput> | null | undefined;
  /** RRULE, EXDATE and RDATE lines. */
  recurrence?: Array<string> | null | undefined;
  /** `null`: as the calendar's settings say. */
  reminders?: Reminders | null | undefined;
  /** `"meet"` asks Google for a Meet link where there is no meeting yet. */
  conference?: ConferenceInput | null | undefined;
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

export type ExportDataInput = {
  /** The `nextCursor` of the page before. Left out: the first page. */
  cursor?: string | undefined;
};

/** What was mirrored of an account that leaves. */
export type ForgottenData = {
  calendars: number;
  events: number;
  /** All of it has been deleted. It was shown to nobody from the moment of the wish. */
  deleted: boolean;
  /** When it is deleted at the latest. */
  deletedBy: string;
};

/** How current one calendar's data is. */
export type Freshness = {
  calendarId: string;
  /** The data is as Google had it at this moment, or later. `null`: never pulled yet. */
  asOf: string | null;
  mode: Mode;
};

/** What became of the grant at Google. */
export type GrantEnd = 'revoked' | 'keptForOthers' | 'endedBefore' | 'pending';

/** A guest to invite. An attendee of an Event will do. */
export type GuestInput = {
  email: string;
  optional?: boolean | undefined;
  displayName?: string | null | undefined;
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

export type MoveEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The `id` of an Event that is no instance of a series, or that of a series. */
  eventId: string;
  /** Of the same account. */
  destinationCalendarId: string;
  /** Whom Google mails. None: nobody. */
  sendUpdates?: SendUpdates | undefined;
};

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

export type Reminder = {
  /** `popup` or `email`. */
  method: string;
  /** Before the start. */
  minutes: number;
};

/** When Google reminds the user of an event. */
export type Reminders = {
  /** As the calendar's settings say. */
  useDefault: boolean;
  /** Instead of those. Google takes at most five. */
  overrides: Array<Reminder>;
};

export type RespondToEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
  responseStatus: ResponseStatus;
  /** To the organizer. */
  comment?: string | undefined;
  /** Of a series: `this` or `all`. None: the instance alone. */
  scope?: SeriesScope | undefined;
  /** Whom Google mails. None: nobody. */
  sendUpdates?: SendUpdates | undefined;
};

/** A guest's answer. */
export type ResponseStatus = 'needsAction' | 'declined' | 'tentative' | 'accepted';

export type SelectCalendarsInput = {
  calendarIds: Array<string>;
  /** Whether these are to be kept current and shown; the others stay as they are. */
  selected?: boolean | undefined;
};

/** Whom Google mails. */
export type SendUpdates = 'all' | 'externalOnly' | 'none';

/**
 * All instances of one event within a window: one for a single event, any number for a series. They replace whatever
 * the receiver had under `eventId`, which is the master's id for a series.
 */
export type Series = {
  eventId: string;
  occurrences: Array<Event>;
};

/** Which part of a series an edit is about. */
export type SeriesScope = 'this' | 'following' | 'all';

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

/** The push channels of an account that leaves. */
export type StoppedChannels = {
  stopped: number;
  /** Still to be stopped. One that cannot be is ended by Google, within a week; nobody listens to it. */
  left: number;
};

export type SubscriptionTokenInput = {
  /** The user's own: `calendar:<user id>`. */
  channel: string;
};

export type SyncActivity = {
  connected: boolean;
  hasCalendarAccess: boolean;
  asOf: string | null;
  mode: Mode;
  /** This service's clock, by which the times below are to be read. */
  now: string;
  calendars: Array<CalendarActivity>;
};

export type SyncActivityInput = {
  /** Left out: the selected ones. */
  calendarIds?: Array<string> | undefined;
  /** The most rounds of each calendar. */
  limit?: number | undefined;
};

/** Why a calendar was pulled. */
export type SyncCause = 'push' | 'poll' | 'opening' | 'person' | 'watch' | 'first';

export type SyncError = {
  /** `rate_limited`, `transient`, `reauth_required`, `scope_missing`, `quota_spent`, `access_lost`, … */
  word: string;
  at: string | null;
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

/** One pull of a calendar: asked for, begun, committed together with its message, told. */
export type SyncRound = {
  /** Counts within the calendar. */
  number: number;
  cause: SyncCause;
  /** When the cause arose: for a push, when it came in. */
  askedAt: string;
  /** When the pull began that ended so. */
  startedAt: string;
  /** When the outcome was written down. */
  committedAt: string;
  /** When the broker had taken the message of it. `null`: there is none, or it is still to go out. */
  publishedAt: string | null;
  /** The pages that Google answered. */
  pages: number;
  /** Events that were written; all that were listed where `outcome` is `listed`. */
  changed: number;
  /** Events that went. */
  deleted: number;
  /** The message that told of it. */
  seq: number | null;
  /** `ok`, `no_change`, `listed` (everything was read anew), or the word of why it was given up for now. */
  outcome: string;
  /** How many rounds this one stands for: such as bring nothing are counted, not listed. */
  times: number;
  /** When the last of them was committed. */
  lastAt: string;
};

/** Google's word for "show as": busy, or free. */
export type Transparency = 'opaque' | 'transparent';

export type UpcomingEventsInput = {
  /** Local days: 0 is from now to the end of today, 1 to the end of tomorrow. */
  days?: number | undefined;
  maxResults?: number | undefined;
  /** Left out: the selected ones. */
  calendarIds?: Array<string> | undefined;
  /** Whose days are meant, by IANA name. Left out: the primary calendar's zone. */
  timeZone?: string | undefined;
};

export type UpdateEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
  /** The Event's `etag`: the version that the user saw. */
  baseEtag: string;
  patch: EventPatch;
  /** Of a series. None: the instance alone. */
  scope?: SeriesScope | undefined;
  /** Whom Google mails. None: nobody. */
  sendUpdates?: SendUpdates | undefined;
};

export type WatchActivity = {
  expiresAt: string;
  /** When another channel is made in its place. */
  renewAt: string | null;
  /** The last message over it; exact to some minutes. */
  lastMessageAt: string | null;
  /** The host that Google pushes to. */
  host: string;
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

/** What has become of a write. */
export type WriteState = 'done' | 'failed' | 'conflict';

export type WrittenEvent = {
  /** As it is now: of a series, the instance that was edited or the first one. None while `pending`. */
  event: Event | null;
  /** Somebody else had changed other fields meanwhile, and both changes are in. */
  merged: boolean;
  pending: boolean;
  intentId: string;
};
