// Written by `cargo xtask types`.

export type Attendee = {
  email: string | null;
  displayName: string | null;
  self: boolean;
  optional: boolean;
  /** A room or other equipment, not a person. */
  resource?: boolean | undefined;
  /** `needsAction`, `declined`, `tentative` or `accepted`. */
  responseStatus: string;
};

export type CalendarActivity = {
  calendarId: string;
  mode: Mode;
  asOf: string | null;
  /** The channel on which Google pushes. `null`: none. */
  watch: WatchActivity | null;
  /** Google's last push for this calendar; in a burst within ten seconds. */
  lastPushAt: string | null;
  /** When it is polled next if no push arrives. */
  nextPollAt: string | null;
  /** Since when a pull is due. `null`: none is. */
  dueSince: string | null;
  /** Why the last pull failed. `null`: it succeeded. */
  lastError: SyncError | null;
  /** Attempts since the last successful pull, including a running one. */
  attempts: number;
  /** Newest first. */
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
  /** Synced and shown. */
  selected: boolean;
  /** The account has lost access in Google. It is hidden until the access is back. */
  accessLost: boolean;
  /** Google can push changes of this calendar. */
  pushSupported: boolean;
  freshness: Freshness | null;
};

export type CalendarList = {
  connected: boolean;
  hasCalendarAccess: boolean;
  /** Primary calendars first, then by name. */
  calendars: Array<CalendarInfo>;
};

export type Change =
  | {
      type: 'events.changed';
      calendarId: string;
      asOf: string;
      window: Window;
      upserted: Array<Series>;
      /** Ids of series that no longer have an instance. */
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
      /** Why it failed, as the `data.reason` of an error. */
      reason: string | null;
    };

export type ConferenceInput = 'meet';

export type Connect = {
  /**
   * Google's consent page. Send the same browser there: this response sets a cookie. (A page of another origin has to call
   * with `credentials: "include"`.)
   */
  url: string;
};

export type ConnectInput = {
  /**
   * The page to return to, as a path of the calling application: `/settings?tab=calendar`. It gets `?calwire=connected`,
   * `denied` or `error`. A `calwire_reason` is added: `scope_missing` when the user is connected but unticked the calendar,
   * or `calendar_off` when Google Calendar is turned off for the account; and `other_account`, as a second one if need be,
   * when another account than that of `connectionId` was chosen and is connected now, too;
   * with an error `invalid_state`, `expired_state`, `other_browser`, `code_missing`,
   * `code_rejected`, `refresh_token_missing`, `google_unavailable`, `misconfigured`, `internal`, `refused_by_google`, or
   * a policy of the account's organization, in Google's word: `admin_policy_enforced`, `access_denied` or
   * `policy_enforced`.
   */
  returnTo?: string | undefined;
  /** The connection to connect again: Google's page preselects its account. Default: the user chooses an account. */
  connectionId?: string | undefined;
};

export type ConnectionInfo = {
  id: string;
  email: string;
  state: ConnectionState;
  /**
   * With `reauth_required`, the policy of the account's organization that ended the grant, in Google's word:
   * `admin_policy_enforced`, `access_denied` or `policy_enforced`. Its administrator has to allow this application.
   * Null: the grant was revoked or has expired.
   */
  reason: string | null;
  hasCalendarAccess: boolean;
  /** The user has granted permission to change events, too. */
  canWrite: boolean;
  createdAt: string;
};

/** The state of one connected Google account, derived from evidence. */
export type ConnectionState =
  'healthy' | 'importing' | 'delayed' | 'reauth_required' | 'scope_missing' | 'calendar_off' | 'disconnected';

export type CreateEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** With a `start` and an `end`. */
  event: EventPatch;
  /**
   * Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
   * some of them.
   */
  sendUpdates?: SendUpdates | undefined;
};

/**
 * A page of all data of a user. The pages together, list by list, are complete; each shows the state when it was read.
 * A row has the columns of its table, except tokens, their digests and leases. Derived data (the instances of events)
 * is left out.
 */
export type DataExport = {
  userId: string;
  exportedAt: string;
  /** The Google accounts, without their tokens. This list and those up to `connectFlows` are on the first page. */
  connections: Array<Record<string, unknown>>;
  calendars: Array<Record<string, unknown>>;
  /** The sync state of each calendar and of each account's calendar list. */
  syncState: Array<Record<string, unknown>>;
  /** Push channels at Google. */
  watches: Array<Record<string, unknown>>;
  /** The number of messages sent to the user's browsers. */
  userStream: Array<Record<string, unknown>>;
  /** Unfinished attempts to connect an account. */
  connectFlows: Array<Record<string, unknown>>;
  /** Each with its `event` as Google returned it. */
  events: Array<Record<string, unknown>>;
  /** Versions of events that were replaced in the last day. */
  eventVersions: Array<Record<string, unknown>>;
  /** The user's writes of the last day. */
  writeIntents: Array<Record<string, unknown>>;
  /** The last pulls of each calendar. */
  syncRounds: Array<Record<string, unknown>>;
  /** Messages that have not reached the broker. */
  messages: Array<Record<string, unknown>>;
  /** The cursor of the next page; `null` on the last page. */
  nextCursor: string | null;
};

export type DeleteData = {
  success: boolean;
  /** One for each account that was disconnected. */
  receipts: Array<DisconnectReceipt>;
  /** All data of the user is deleted, except `grantsLeft`. */
  deleted: boolean;
  /**
   * Google accounts whose identity and sealed token are kept until Google has confirmed the revocation, for a day at
   * most.
   */
  grantsLeft: number;
  /** The broker has deleted its history of the user's messages. If not, it expires within an hour. */
  liveHistoryDeleted: boolean;
};

export type DeleteEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
  /** Default: delete whichever version is current. */
  baseEtag?: string | undefined;
  /** For a series. Default: the instance alone. */
  scope?: SeriesScope | undefined;
  /**
   * Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
   * some of them.
   */
  sendUpdates?: SendUpdates | undefined;
};

export type DeletedEvent = {
  /** False while `pending`. */
  deleted: boolean;
  pending: boolean;
  intentId: string;
};

export type Disconnect = {
  success: boolean;
  connectionIds: Array<string>;
  /** The progress for each account. */
  receipts: Array<DisconnectReceipt>;
};

export type DisconnectInput = {
  /** Default: all of the user's accounts. */
  connectionId?: string | undefined;
};

/** The progress of disconnecting an account when the response is sent. The rest is finished in the background. */
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
  /** RFC 3339 with the event zone's offset, or a date (`2026-11-22`) when `allDay`. */
  start: string;
  /** As `start`; the end of an all-day event is exclusive. */
  end: string;
  calendarId: string;
  /** The event that an edit of this instance is based on: a single event, an exception, or the master. */
  eventId: string;
  /** The master's id, for an instance of a series. */
  recurringEventId: string | null;
  /**
   * If several calendars have a copy of this instance and the answer shows each meeting once: all copies, this one
   * first. It is the one to respond from: of the account that is invited and has not responded, else that organizes, has
   * accepted, has declined; else the copy in an account's own calendar; else the one with the most access; else the one
   * in the calendar known for longest. Copies have the same `iCalUID` and, in a series, the same original start.
   */
  copies?: Array<EventCopy> | undefined;
  title: string;
  allDay: boolean;
  /**
   * The zone in which the event was created: an IANA name, now and then another of Google's (`GMT+02:00`). None for an
   * all-day event.
   */
  timeZone: string | null;
  /** The zone of the end, if it is another: a flight lands there. */
  endTimeZone?: string | undefined;
  description: string | null;
  location: string | null;
  htmlLink: string | null;
  status: EventStatus;
  /** `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`, or a type that Google may add. */
  eventType: string;
  /** Whether its time is taken. */
  transparency: Transparency;
  /**
   * Visibility of the details: `default` (the calendar's setting), `public`, `private`, `confidential`, or a value that
   * Google may add.
   */
  visibility?: string | undefined;
  colorId: string | null;
  attendees: Array<Attendee>;
  organizer: Person | null;
  /** Where to join a video meeting, if there is one. */
  conferenceUrl: string | null;
  /** RRULE, EXDATE and RDATE lines: of an event that repeats, or of the series if this is an unchanged instance of it. */
  recurrence: Array<string>;
  /** None: Google sends none. */
  reminders: Reminders | null;
  /** The fields that this user may change here, by Google's rules. Empty: read only. */
  canEdit: Array<string>;
  /** Whether this user may delete it from this calendar. */
  canDelete?: boolean | undefined;
  /**
   * The texts that are longer in Google and end here with an ellipsis, which stands for the rest: `title`, `description`,
   * `location`. `getEvent` returns them whole. An edit that leaves the ellipsis in place keeps the rest.
   */
  cutFields?: Array<string> | undefined;
  /** The version that an edit is based on. */
  etag: string;
  /** The same for a meeting in every calendar that has a copy of it, and for all instances of a series. */
  iCalUID: string | null;
  /** If several calendars have a copy of a meeting, the one with the lowest rank is shown. See `Event.copies`. */
  copyRank?: number | undefined;
};

/** A copy of a meeting in one of several calendars. */
export type EventCopy = {
  calendarId: string;
  /** As the `id` of its Event. */
  id: string;
  eventId: string;
  /** The response of the calendar's owner to the invitation; none if the owner is not a guest. */
  responseStatus: string | null;
};

export type EventInput = {
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
};

/**
 * An event with its instances within a window. The view is there once, without the fields that have their default:
 * null, false, an empty text or list; `status` confirmed, `eventType` and `visibility` default, `transparency` opaque,
 * `copyRank` 0.
 */
export type EventInstances = {
  eventId: string;
  /**
   * The master's id: `eventId` for the master itself. The id of a master's instance is that of the series that it belonged
   * to first, and its start in UTC (`standup_20261207T081500Z`, `holiday_20261207`); of another event, its `eventId`.
   */
  recurringEventId?: string | undefined;
  /** Start and end of each, in order, as in an Event. */
  instances: Array<[string, string]>;
} & Partial<EventView>;

export type EventList = {
  /** Whether a Google account is connected. Without one there are no events, which is not an error. */
  connected: boolean;
  /** The user has granted access to the calendar. */
  hasCalendarAccess: boolean;
  events: Array<Event>;
  /** There are more events than were returned, or a series may have more instances in this time than Calwire keeps. */
  truncated: boolean;
  /** The zone of the days: as requested, if the server knows it. */
  timeZone: string;
  /** That of the least current calendar. */
  asOf: string | null;
  mode: Mode;
  calendars: Array<Freshness>;
};

/** The fields to change. An absent field stays as it is; `null` clears it. */
export type EventPatch = {
  title?: string | null | undefined;
  /** RFC 3339 (or wall-clock time in `timeZone`, without an offset), or a date. Without `end` the event keeps its length. */
  start?: string | undefined;
  /** As `start`; the end of an all-day event is exclusive. */
  end?: string | undefined;
  /** Rarely needed: a start without a time makes an event all-day. */
  allDay?: boolean | undefined;
  /**
   * An IANA name, or that of the event. An unknown name changes nothing if the times have offsets and the event does not
   * repeat.
   */
  timeZone?: string | undefined;
  /** The zone of the end, if it is another. Default: as it is while `timeZone` stays, otherwise `timeZone`. */
  endTimeZone?: string | undefined;
  description?: string | null | undefined;
  location?: string | null | undefined;
  colorId?: string | null | undefined;
  /** The whole list. Guests keep their responses; a guest who is missing is uninvited. Guests without an address stay. */
  attendees?: Array<GuestInput> | null | undefined;
  /** RRULE, EXDATE and RDATE lines. */
  recurrence?: Array<string> | null | undefined;
  /** `null`: the calendar's setting. */
  reminders?: Reminders | null | undefined;
  /** `"meet"` requests a Meet link from Google where there is no meeting yet. */
  conference?: ConferenceInput | null | undefined;
  /** Whether its time is taken. `null`: it is. */
  transparency?: Transparency | null | undefined;
  /** Visibility of the details. `null`: the calendar's setting. */
  visibility?: Visibility | null | undefined;
};

export type EventStatus = 'confirmed' | 'tentative' | 'cancelled';

/** A type of event, as Google names it. */
export type EventType = 'default' | 'birthday' | 'focusTime' | 'fromGmail' | 'outOfOffice' | 'workingLocation';

/** An event without its times and ids: the same for all its instances. */
export type EventView = {
  title: string;
  allDay: boolean;
  /**
   * The zone in which the event was created: an IANA name, now and then another of Google's (`GMT+02:00`). None for an
   * all-day event.
   */
  timeZone: string | null;
  /** The zone of the end, if it is another: a flight lands there. */
  endTimeZone?: string | undefined;
  description: string | null;
  location: string | null;
  htmlLink: string | null;
  status: EventStatus;
  /** `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`, or a type that Google may add. */
  eventType: string;
  /** Whether its time is taken. */
  transparency: Transparency;
  /**
   * Visibility of the details: `default` (the calendar's setting), `public`, `private`, `confidential`, or a value that
   * Google may add.
   */
  visibility?: string | undefined;
  colorId: string | null;
  attendees: Array<Attendee>;
  organizer: Person | null;
  /** Where to join a video meeting, if there is one. */
  conferenceUrl: string | null;
  /** RRULE, EXDATE and RDATE lines: of an event that repeats, or of the series if this is an unchanged instance of it. */
  recurrence: Array<string>;
  /** None: Google sends none. */
  reminders: Reminders | null;
  /** The fields that this user may change here, by Google's rules. Empty: read only. */
  canEdit: Array<string>;
  /** Whether this user may delete it from this calendar. */
  canDelete?: boolean | undefined;
  /**
   * The texts that are longer in Google and end here with an ellipsis, which stands for the rest: `title`, `description`,
   * `location`. `getEvent` returns them whole. An edit that leaves the ellipsis in place keeps the rest.
   */
  cutFields?: Array<string> | undefined;
  /** The version that an edit is based on. */
  etag: string;
  /** The same for a meeting in every calendar that has a copy of it, and for all instances of a series. */
  iCalUID: string | null;
  /** If several calendars have a copy of a meeting, the one with the lowest rank is shown. See `Event.copies`. */
  copyRank?: number | undefined;
};

export type EventsInput = {
  from: string;
  /** Exclusive. */
  to: string;
  calendarIds?: Array<string> | undefined;
  /** The IANA time zone of all-day events. Default, and where it is unknown to the server: the primary calendar's. */
  timeZone?: string | undefined;
  /** Default: all types. */
  eventTypes?: Array<EventType> | undefined;
};

export type ExportDataInput = {
  /** The `nextCursor` of the previous page. Default: the first page. */
  cursor?: string | undefined;
};

/** The mirrored data of a disconnected account. */
export type ForgottenData = {
  calendars: number;
  events: number;
  /** All of it has been deleted. It has not been shown since the request. */
  deleted: boolean;
  /** When it is deleted at the latest. */
  deletedBy: string;
};

/** How current one calendar's data is. */
export type Freshness = {
  calendarId: string;
  /** The data is as Google had it at this moment or later. `null`: not pulled yet. */
  asOf: string | null;
  mode: Mode;
};

/** The state of the grant at Google. */
export type GrantEnd = 'revoked' | 'keptForOthers' | 'kept' | 'endedBefore' | 'pending';

/** A guest to invite. An attendee of an Event will do. */
export type GuestInput = {
  /** `null`: a guest whose address Google does not show. Such guests stay as they are, listed or not. */
  email: string | null;
  optional?: boolean | undefined;
  displayName?: string | null | undefined;
};

/** The data of a page, complete up to a message. */
export type Held = {
  streamEpoch: string;
  seq: number;
  window: Window;
};

/** A problem with an input. */
export type InputIssue = {
  /** The field: `days`, `calendarIds[2]`, or empty for the input as a whole. */
  path: string;
  message: string;
};

/** A message on the channel `calendar:<userId>`. `seq` rises by one from message to message. */
export type Message = {
  v: number;
  seq: number;
} & Change;

/** How a calendar is being kept current. */
export type Mode = 'push' | 'polling' | 'stale' | 'paused';

export type MoveEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The `id` of a single Event, or of a series. */
  eventId: string;
  /** Of the same account. */
  destinationCalendarId: string;
  /**
   * Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
   * some of them.
   */
  sendUpdates?: SendUpdates | undefined;
};

export type Person = {
  email: string | null;
  displayName: string | null;
  self: boolean;
};

/** The position on the channel from which to continue, and all that the page lacks up to there. */
export type RealtimeState = {
  /** The channel's position in Centrifugo, for `getState` of a subscription. `null`: not requested. */
  epoch: string | null;
  offset: number | null;
  /** The last message included: ignore messages up to it. */
  seq: number;
  /** `seq` counts within it: if it changes, load a new snapshot. */
  streamEpoch: string;
  connected: boolean;
  hasCalendarAccess: boolean;
  asOf: string | null;
  mode: Mode;
  /** The selected calendars. */
  calendars: Array<Freshness>;
  /** The time that the snapshot and the messages cover. */
  window: Window;
  /** All that has changed since `held`, in order. Empty: nothing, or `snapshot` has it. */
  messages: Array<Message>;
  /** `null`: the held data is complete with the messages. */
  snapshot: Snapshot | null;
};

export type RealtimeStateInput = {
  /**
   * `false`: without the channel's position, for a page that shows a snapshot while Centrifugo is down. A subscription
   * cannot start from it.
   */
  live?: boolean | undefined;
  /** The data that the page has. The answer leaves it out. */
  held?: Held | undefined;
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
  /** Use the calendar's settings. */
  useDefault: boolean;
  /** Instead of those. Google accepts at most five. */
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
  /** For a series: `this` or `all`. Default: the instance alone. */
  scope?: SeriesScope | undefined;
  /**
   * Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
   * some of them.
   */
  sendUpdates?: SendUpdates | undefined;
};

/** A guest's answer. */
export type ResponseStatus = 'needsAction' | 'declined' | 'tentative' | 'accepted';

export type SelectCalendarsInput = {
  calendarIds: Array<string>;
  /** Whether to sync and show these; the other calendars are unchanged. */
  selected?: boolean | undefined;
};

/** The guests that Google mails. */
export type SendUpdates = 'all' | 'externalOnly' | 'none';

/**
 * All events of a series, or one event outside a series. They replace all that the receiver has under `seriesId`, which is the
 * master's id.
 */
export type Series = {
  seriesId: string;
  /** The master and its exceptions. None: the series has no instance within the window. */
  events: Array<EventInstances>;
};

/** The part of a series that an edit changes. */
export type SeriesScope = 'this' | 'following' | 'all';

/** All events of the window. */
export type Snapshot = {
  /** By calendar. */
  series: {
    [key in string]: Array<Series>;
  };
  /**
   * There are more events than a snapshot holds, or a series may have more instances than Calwire keeps; request the
   * displayed time by `getEvents`.
   */
  truncated: boolean;
  /** Set if there are more events than a snapshot holds: all instances that start before it are there. */
  until: string | null;
};

export type Status = {
  connected: boolean;
  hasCalendarAccess: boolean;
  connections: Array<ConnectionInfo>;
  /** Google can push to this installation; otherwise calendars are polled. */
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

/** The push channels of a disconnected account. */
export type StoppedChannels = {
  stopped: number;
  /** Still to be stopped. A channel that cannot be stopped is ignored and expires within a week. */
  left: number;
};

export type SubscriptionTokenInput = {
  /** The caller's own: `calendar:<user id>`. */
  channel: string;
};

export type SyncActivity = {
  connected: boolean;
  hasCalendarAccess: boolean;
  asOf: string | null;
  mode: Mode;
  /** This service's clock, for comparison with the times below. */
  now: string;
  calendars: Array<CalendarActivity>;
};

export type SyncActivityInput = {
  /** Default: the selected ones. */
  calendarIds?: Array<string> | undefined;
  /** Maximum number of pulls per calendar. */
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
  /** How many pulls were requested; those already due are not counted. */
  queued: number;
};

export type SyncNowInput = {
  /** Default: all, and the list of calendars. */
  calendarIds?: Array<string> | undefined;
};

/** One pull of a calendar: requested, started, committed together with its message, published. */
export type SyncRound = {
  /** Counts within the calendar. */
  number: number;
  cause: SyncCause;
  /** When the pull was requested: for a push, when it arrived. */
  askedAt: string;
  /** When the pull started. */
  startedAt: string;
  /** When its result was committed. */
  committedAt: string;
  /** When the broker accepted its message. `null`: it has none, or it is not published yet. */
  publishedAt: string | null;
  /** Pages received from Google. */
  pages: number;
  /** Events written; with `outcome` `listed`, all events. */
  changed: number;
  /** Events deleted. */
  deleted: number;
  /** The `seq` of its message. */
  seq: number | null;
  /** `ok`, `no_change`, `listed` (everything was read from scratch), or the code of an error. */
  outcome: string;
  /** Number of consecutive unchanged pulls merged into this entry. */
  times: number;
  /** When the last of them was committed. */
  lastAt: string;
};

/** Google's term for "show as": busy or free. */
export type Transparency = 'opaque' | 'transparent';

export type UpcomingEventsInput = {
  /** Local days: 0 is from now to the end of today, 1 to the end of tomorrow. */
  days?: number | undefined;
  maxResults?: number | undefined;
  /** Default: the selected ones. */
  calendarIds?: Array<string> | undefined;
  /** The IANA time zone of the days. Default, and where it is unknown to the server: the primary calendar's. */
  timeZone?: string | undefined;
  /** Default: all types. */
  eventTypes?: Array<EventType> | undefined;
};

export type UpdateEventInput = {
  idempotencyKey: string;
  calendarId: string;
  /** The Event's `id`. */
  eventId: string;
  /** The Event's `etag`: the version that the user edited. */
  baseEtag: string;
  patch: EventPatch;
  /** For a series. Default: the instance alone. */
  scope?: SeriesScope | undefined;
  /**
   * Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
   * some of them.
   */
  sendUpdates?: SendUpdates | undefined;
};

/** Visibility of an event's details. */
export type Visibility = 'default' | 'public' | 'private';

export type WatchActivity = {
  expiresAt: string;
  /** When it is replaced by another channel. */
  renewAt: string | null;
  /** The last message over it; within some minutes. */
  lastMessageAt: string | null;
  /** The host that Google pushes to. */
  host: string;
};

export type WatchCalendar = {
  channelId: string;
  /** Google's opaque id of the watched resource. */
  resourceId: string;
  /** Milliseconds since 1970, as a string, as in Google's API. */
  expiration: string;
};

export type WatchCalendarInput = {
  /** Default: the primary one. */
  calendarId?: string | undefined;
};

/** A span of time, `from` inclusive, `to` exclusive. */
export type Window = {
  from: string;
  to: string;
};

/** The outcome of a write. */
export type WriteState = 'done' | 'failed' | 'conflict';

export type WrittenEvent = {
  /** Its new state: for a series, the edited instance or the first one. None while `pending`. */
  event: Event | null;
  /** Someone else had changed other fields; both changes are in the event. */
  merged: boolean;
  pending: boolean;
  intentId: string;
};
