import type { Frequency, RepeatEnd } from '../editor/repeat.js';
import type { Problem } from '../editor/draft.js';
import type { ConflictField } from '../../core/conflict.js';
import type { ResponseStatus, SendUpdates, SeriesScope, Transparency, Visibility } from '../../generated/types.js';

/** The texts for editing. */
export interface EditingLabels {
  newEvent: string;
  editEvent: string;
  edit: string;
  delete: string;
  save: string;
  saving: string;
  cancel: string;
  keepEditing: string;
  discard: string;
  discardQuestion: string;

  // Fields.
  title: string;
  starts: string;
  ends: string;
  startDate: string;
  startTime: string;
  endDate: string;
  endTime: string;
  timeZone: string;
  colour: string;
  calendarColour: string;
  colours: Record<string, string>;
  guestList: string;
  addGuest: string;
  add: string;
  remove: (what: string) => string;
  repeat: string;
  frequencies: Record<Frequency, string>;
  repeatEnds: string;
  repeatEnd: Record<RepeatEnd['kind'], string>;
  lastDay: string;
  times: string;
  reminders: string;
  defaultReminders: string;
  addReminder: string;
  reminderMethods: { popup: string; email: string };
  before: (minutes: number) => string;
  meeting: string;
  transparency: string;
  transparencies: Record<Transparency, string>;
  visibility: string;
  visibilities: Record<Visibility, string>;
  sendUpdates: string;
  mailing: Record<SendUpdates, string>;
  problems: Record<Problem, string>;
  checkFields: string;

  // Why a field cannot be changed.
  calendarReadOnly: string;
  organizerOnly: string;
  fieldLocked: string;
  loadingText: string;
  textNotLoaded: string;
  instanceRepeats: string;
  instanceStays: string;
  cannotEdit: string;
  noWritableCalendar: string;

  // Series.
  scopeQuestion: Record<'change' | 'delete' | 'respond', string>;
  scopes: Record<SeriesScope, string>;
  apply: string;

  // Responses to an invitation.
  going: string;
  respond: Record<Exclude<ResponseStatus, 'needsAction'>, string>;
  responseCount: (accepted: number, tentative: number, declined: number) => string;

  // Outcomes of edits.
  deleted: (title: string) => string;
  undo: string;
  dismiss: string;
  rejected: (title: string, why: string) => string;
  outcomeUnknown: (title: string) => string;
  outcomeUnknownInForm: string;
  pending: (title: string) => string;
  saved: (title: string) => string;
  merged: (title: string) => string;
  conflicted: (title: string) => string;
  compare: string;
  isSending: string;
  isPending: string;

  // Conflicts.
  conflictTitle: string;
  conflictText: string;
  deleteConflictText: string;
  conflictFields: Record<ConflictField, string>;
  mine: string;
  theirs: string;
  nothing: string;
  deleteAnyway: string;
  keepEvent: string;
  takeTheirs: string;

  // With the keyboard.
  keyboardHint: string;
  moved: (title: string, when: string) => string;
}

const UNITS = [
  ['week', 10_080],
  ['day', 1_440],
  ['hour', 60],
] as const;

const duration = (minutes: number) => {
  const [unit, size] = UNITS.find(([, length]) => minutes % length === 0) ?? (['minute', 1] as const);
  const count = minutes / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
};

export const englishEditing: EditingLabels = {
  newEvent: 'New event',
  editEvent: 'Edit event',
  edit: 'Edit',
  delete: 'Delete',
  save: 'Save',
  saving: 'Saving…',
  cancel: 'Cancel',
  keepEditing: 'Keep editing',
  discard: 'Discard',
  discardQuestion: 'Discard your changes?',

  title: 'Title',
  starts: 'Starts',
  ends: 'Ends',
  startDate: 'Start date',
  startTime: 'Start time',
  endDate: 'End date',
  endTime: 'End time',
  timeZone: 'Time zone',
  colour: 'Colour',
  calendarColour: 'As the calendar',
  colours: {
    '1': 'Lavender',
    '2': 'Sage',
    '3': 'Grape',
    '4': 'Flamingo',
    '5': 'Banana',
    '6': 'Tangerine',
    '7': 'Peacock',
    '8': 'Graphite',
    '9': 'Blueberry',
    '10': 'Basil',
    '11': 'Tomato',
  },
  guestList: 'Guests',
  addGuest: 'E-mail address of a guest',
  add: 'Add',
  remove: (what) => `Remove ${what}`,
  repeat: 'Repeats',
  frequencies: {
    none: 'Does not repeat',
    daily: 'Every day',
    weekdays: 'Every weekday, Monday to Friday',
    weekly: 'Every week',
    monthly: 'Every month',
    yearly: 'Every year',
    custom: 'By a rule of its own',
  },
  repeatEnds: 'Repetition ends',
  repeatEnd: { never: 'Never', on: 'On a day', after: 'After a number of times' },
  lastDay: 'Last day',
  times: 'Number of times',
  reminders: 'Reminders',
  defaultReminders: 'As the calendar does',
  addReminder: 'Add a reminder',
  reminderMethods: { popup: 'Notification', email: 'E-mail' },
  before: (minutes) => (minutes === 0 ? 'at the start' : `${duration(minutes)} before`),
  meeting: 'Google Meet video meeting',
  transparency: 'Show as',
  transparencies: { opaque: 'Busy', transparent: 'Free' },
  visibility: 'Visibility',
  visibilities: { default: 'As the calendar', public: 'Public', private: 'Private' },
  sendUpdates: 'Notify guests by e-mail',
  mailing: { all: 'All guests', externalOnly: 'Only guests outside Google Calendar', none: 'No one' },
  problems: {
    start: 'Say when it starts.',
    end: 'Say when it ends.',
    endBeforeStart: 'It ends before it starts.',
    guest: 'This is not an e-mail address.',
    repeatEnd: 'The repetition has to end after it starts.',
    calendar: 'Choose a calendar.',
  },
  checkFields: 'Please correct the marked fields.',

  calendarReadOnly: 'You can read this calendar but not change it.',
  organizerOnly: 'Only the organizer can change this.',
  fieldLocked: 'Google does not let this be changed in such an event.',
  loadingText: 'The whole text is being loaded.',
  textNotLoaded: 'The whole text could not be loaded.',
  instanceRepeats: 'One event of a series repeats as its series does. Choose “All events” above to change that.',
  instanceStays: 'One event of a series stays in its calendar.',
  cannotEdit: 'This event cannot be changed here.',
  noWritableCalendar: 'There is no calendar that you can add events to.',

  scopeQuestion: {
    change: 'Which events of the series do you want to change?',
    delete: 'Which events of the series do you want to delete?',
    respond: 'Which events of the series do you answer for?',
  },
  scopes: { this: 'This event', following: 'This and following events', all: 'All events' },
  apply: 'Apply',

  going: 'Going?',
  respond: { accepted: 'Yes', tentative: 'Maybe', declined: 'No' },
  responseCount: (accepted, tentative, declined) => `${accepted} yes, ${tentative} maybe, ${declined} no`,

  deleted: (title) => `“${title}” is deleted`,
  undo: 'Undo',
  dismiss: 'Dismiss',
  rejected: (title, why) => `“${title}” was not changed: ${why}`,
  outcomeUnknown: (title) => `There was no answer, so it is not known whether “${title}” was changed.`,
  outcomeUnknownInForm:
    'There was no answer, so it is not known whether this was saved. Trying again saves it at most once.',
  pending: (title) => `Google cannot be reached. “${title}” is changed as soon as it can.`,
  saved: (title) => `“${title}” is saved in Google now`,
  merged: (title) => `Someone else changed “${title}” too. Both changes are saved.`,
  conflicted: (title) => `Someone else changed “${title}” at the same time.`,
  compare: 'Compare',
  isSending: 'being saved',
  isPending: 'waiting for Google',

  conflictTitle: 'Conflicting changes',
  conflictText: 'Someone else changed this at the same time. Choose which version to keep.',
  deleteConflictText: 'Someone else changed this event before you deleted it. This is the new version.',
  conflictFields: {
    title: 'Title',
    when: 'Time',
    description: 'Description',
    location: 'Location',
    colorId: 'Colour',
    attendees: 'Guests',
    recurrence: 'Repetition',
    reminders: 'Reminders',
    conference: 'Video meeting',
    transparency: 'Show as',
    visibility: 'Visibility',
  },
  mine: 'Yours',
  theirs: 'Theirs',
  nothing: 'nothing',
  deleteAnyway: 'Delete anyway',
  keepEvent: 'Keep it',
  takeTheirs: 'Take theirs',

  keyboardHint: 'Alt and arrow keys move it, Alt, Shift and arrow keys change its length, Delete deletes it',
  moved: (title, when) => `${title}, ${when}`,
};
