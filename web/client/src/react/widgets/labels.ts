import type { ConnectionState, Mode } from '../../generated/types.js';

import { type EditingLabels, englishEditing } from './labels-editing.js';

/** All texts of the widgets that `Intl` does not format. Override those you translate; the others stay English. */
export interface Labels extends EditingLabels {
  // Names of the widgets, for screen readers.
  nextEvent: string;
  agenda: string;
  manageAccounts: string;
  week: string;
  month: string;
  calendars: string;
  syncStatus: string;

  // Shown instead of events.
  loading: string;
  notConnectedTitle: string;
  notConnected: string;
  connect: string;
  noAccessTitle: string;
  noAccess: string;
  allowAccess: string;
  signedOutTitle: string;
  signedOut: string;
  failedTitle: string;
  nothingTitle: string;
  nothingAhead: (days: number) => string;
  nothingThatDay: string;
  noCalendars: string;
  retry: string;

  // A grant that has ended.
  reauth: (account: string) => string;
  scopeMissing: (account: string) => string;
  reconnect: string;

  // Events.
  untitled: string;
  allDay: string;
  until: (time: string) => string;
  now: string;
  in: (duration: string) => string;
  endsIn: (duration: string) => string;
  duration: (hours: number, minutes: number) => string;
  dayOf: (day: number, days: number) => string;
  timeThere: (times: string, zone: string) => string;
  join: string;
  joinWith: (provider: string) => string;
  openInGoogle: string;
  location: string;
  calendar: string;
  description: string;
  guests: (count: number) => string;
  organizer: string;
  optionalGuest: string;
  /** A room or other equipment among the guests. */
  room: string;
  rooms: string;
  more: string;
  less: string;
  moreGuests: (count: number) => string;
  repeats: string;
  tentative: string;
  private: string;
  cancelled: string;
  declined: string;
  responses: { accepted: string; declined: string; tentative: string; needsAction: string };
  moreToday: (count: number) => string;
  newTab: string;
  close: string;

  // Week and month.
  previous: { week: string; days: string; month: string };
  following: { week: string; days: string; month: string };
  today: string;
  goToDate: string;
  chooseCalendars: string;
  moreEvents: (count: number) => string;
  eventsOn: (day: string) => string;
  eventCount: (count: number) => string;
  busy: string;
  busyTimes: string;
  busyOnly: string;
  busyOnlyHint: string;
  birthdays: string;

  // How fresh it is.
  live: string;
  polling: string;
  /** Most calendars are live, and this many are polled. */
  liveButPolled: (count: number) => string;
  asOf: (moment: string) => string;
  connecting: string;
  reconnecting: string;
  offline: string;
  stale: string;
  paused: string;
  lastKnown: string;
  failed: string;

  // Accounts and calendars.
  states: Record<ConnectionState, string>;
  remedies: Record<ConnectionState, string>;
  modes: Record<Mode, string>;
  allGood: string;
  needsAttention: (count: number) => string;
  working: string;
  noPush: string;
  syncNow: string;
  syncing: string;
  synced: string;
  neverSynced: string;
  accounts: string;
  accessLost: string;
  primary: string;
  readOnly: string;
  selected: (count: number, of: number) => string;

  // Announced to screen readers.
  nextIs: (event: string) => string;
  agendaChanged: (count: number) => string;
}

const plural = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

export const englishLabels: Labels = {
  ...englishEditing,

  nextEvent: 'Next event',
  agenda: 'Agenda',
  manageAccounts: 'Google accounts',
  week: 'Week',
  month: 'Month',
  calendars: 'Calendars',
  syncStatus: 'Sync status',

  loading: 'Loading your calendar…',
  notConnectedTitle: 'See what comes next',
  notConnected: 'Connect your Google Calendar, and changes show up here by themselves.',
  connect: 'Connect Google Calendar',
  noAccessTitle: 'Calendar access is missing',
  noAccess:
    'You are connected to Google, but the box for the calendar was left unticked. Allow it, and your events appear.',
  allowAccess: 'Allow calendar access',
  signedOutTitle: 'You are signed out',
  signedOut: 'Sign in to see your calendar.',
  failedTitle: 'Your calendar cannot be shown',
  nothingTitle: 'Nothing ahead',
  nothingAhead: (days) =>
    days === 0 ? 'The rest of today is free.' : `The next ${plural(days, 'day is', 'days are')} free.`,
  nothingThatDay: 'No events on this day.',
  noCalendars: 'There are no calendars in this account yet.',
  retry: 'Try again',

  reauth: (account) => `Google wants you to sign in again for ${account}. Until then, these events stay as they were.`,
  scopeMissing: (account) => `Calendar access was not granted for ${account}.`,
  reconnect: 'Reconnect',

  untitled: '(No title)',
  allDay: 'All day',
  until: (time) => `until ${time}`,
  now: 'now',
  in: (duration) => `in ${duration}`,
  endsIn: (duration) => `ends in ${duration}`,
  duration: (hours, minutes) =>
    [hours > 0 && `${hours} h`, (minutes > 0 || hours === 0) && `${minutes} min`].filter(Boolean).join(' '),
  dayOf: (day, days) => `day ${day} of ${days}`,
  timeThere: (times, zone) => `${times} in ${zone}`,
  join: 'Join',
  joinWith: (provider) => `Join ${provider}`,
  openInGoogle: 'Open in Google Calendar',
  location: 'Location',
  calendar: 'Calendar',
  description: 'Description',
  guests: (count) => plural(count, 'guest', 'guests'),
  organizer: 'organizer',
  optionalGuest: 'optional',
  room: 'room',
  rooms: 'Rooms',
  more: 'More',
  less: 'Less',
  moreGuests: (count) => `${count} more`,
  repeats: 'Repeats',
  tentative: 'Tentative',
  private: 'Private',
  cancelled: 'Cancelled',
  declined: 'You declined',
  responses: { accepted: 'going', declined: 'not going', tentative: 'maybe', needsAction: 'no answer' },
  moreToday: (count) => `and ${count} more today`,
  newTab: 'opens in a new tab',
  close: 'Close',

  previous: { week: 'Previous week', days: 'Previous days', month: 'Previous month' },
  following: { week: 'Next week', days: 'Next days', month: 'Next month' },
  today: 'Today',
  goToDate: 'Go to date',
  chooseCalendars: 'Choose calendars',
  moreEvents: (count) => `+${count} more`,
  eventsOn: (day) => `Events on ${day}`,
  eventCount: (count) => (count === 0 ? 'no events' : plural(count, 'event', 'events')),
  busy: 'Busy',
  busyTimes: 'Busy times',
  busyOnly: 'Busy only',
  birthdays: 'Birthdays',
  busyOnlyHint: '“Busy only” shows when a calendar is busy, behind your events.',

  live: 'Live',
  polling: 'Checked every minute or so',
  liveButPolled: (count) =>
    `Live · ${count === 1 ? 'one calendar is' : `${count} calendars are`} checked every minute or so`,
  asOf: (moment) => `as of ${moment}`,
  connecting: 'Connecting…',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
  stale: 'Catching up',
  paused: 'Paused',
  lastKnown: 'Last known',
  failed: 'Live updates stopped',

  states: {
    healthy: 'Up to date',
    importing: 'Importing',
    delayed: 'Delayed',
    reauth_required: 'Sign in again',
    scope_missing: 'No calendar access',
    calendar_off: 'Calendar is turned off',
    disconnected: 'Disconnected',
  },
  remedies: {
    healthy: 'Changes in Google arrive by themselves.',
    importing: 'The first import is running. Events appear as they come.',
    delayed: 'Google answers slowly; it is being tried again. There is nothing to do.',
    reauth_required: 'Google has ended the connection. Reconnect to continue; what you see stays as it was.',
    scope_missing: 'The box for the calendar was left unticked on Google’s page. Connect again and tick it.',
    calendar_off:
      'Google Calendar is turned off for this account. Its administrator can turn it on; Calwire looks again every hour.',
    disconnected: 'This account is no longer read.',
  },
  modes: {
    push: 'Live from Google',
    polling: 'Checked every minute or so',
    stale: 'Catching up',
    paused: 'Paused',
  },
  allGood: 'All calendars are up to date',
  needsAttention: (count) => plural(count, 'account needs you', 'accounts need you'),
  working: 'Some calendars are catching up',
  noPush: 'Google cannot reach this installation, so changes are checked every minute or so.',
  syncNow: 'Sync now',
  syncing: 'Checking Google…',
  synced: 'Up to date',
  neverSynced: 'not yet read',
  accounts: 'Accounts',
  accessLost: 'No longer shared with you',
  primary: 'Primary',
  readOnly: 'Read only',
  selected: (count, of) => `${count} of ${of} shown`,

  nextIs: (event) => `Next: ${event}`,
  agendaChanged: (count) => `The agenda changed: ${plural(count, 'event', 'events')}`,
};
