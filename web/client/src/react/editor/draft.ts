/** The form's values, and the resulting edit. Pure. */
import { addDays, atWall, dateAt, isZone, rfc3339, wallAt } from '../../core/zone.js';
import type { EventPatch, GuestInput, Reminders, Transparency, Visibility } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import type { Slot } from '../format/index.js';
import { lastDay, linesOf, NO_REPEAT, type Repeat, repeatOf } from './repeat.js';

export interface Draft {
  title: string;
  calendarId: string;
  allDay: boolean;
  startDate: string;
  /** `09:30`. Kept while the event is all-day. */
  startTime: string;
  /** The last day, inclusive. */
  endDate: string;
  endTime: string;
  timeZone: string;
  location: string;
  description: string;
  colorId: string | null;
  guests: Invited[];
  /** Typed guests that have not been added yet. */
  guestText: string;
  reminders: Reminders;
  repeat: Repeat;
  meeting: boolean;
  transparency: Transparency;
  visibility: Visibility;
}

/** A guest who can be invited. */
export type Invited = GuestInput & { email: string };

export const DEFAULT_REMINDERS: Reminders = { useDefault: true, overrides: [] };

export function newDraft(slot: Slot, calendarId: string, timeZone: string): Draft {
  return {
    title: '',
    calendarId,
    ...timesOf(slot, timeZone),
    location: '',
    description: '',
    colorId: null,
    guests: [],
    guestText: '',
    reminders: DEFAULT_REMINDERS,
    repeat: NO_REPEAT,
    meeting: false,
    transparency: 'opaque',
    visibility: 'default',
  };
}

export function draftOf(event: CalendarEvent, viewerZone: string): Draft {
  const zone = event.timeZone !== null && isZone(event.timeZone) ? event.timeZone : viewerZone;
  const times = timesOf(event, zone);
  const repeat = repeatOf(event.recurrence, times.startDate);
  const until = repeat.end.kind === 'on' && !event.allDay ? lastDay(event.recurrence, zone, dateAt) : null;
  return {
    title: event.title,
    calendarId: event.calendarId,
    ...times,
    location: event.location ?? '',
    description: event.description ?? '',
    colorId: event.colorId,
    guests: event.attendees.flatMap(({ email, displayName, optional }) =>
      email === null ? [] : [{ email, displayName, optional }],
    ),
    guestText: '',
    reminders: event.reminders ?? DEFAULT_REMINDERS,
    repeat: until === null ? repeat : { ...repeat, end: { kind: 'on', date: until } },
    meeting: event.conferenceUrl !== null,
    transparency: event.transparency,
    visibility: isVisibility(event.visibility) ? event.visibility : event.visibility ? 'private' : 'default',
  };
}

const VISIBILITIES: readonly string[] = ['default', 'public', 'private'] satisfies Visibility[];

function isVisibility(text: string | undefined): text is Visibility {
  return text !== undefined && VISIBILITIES.includes(text);
}

/** The draft with the texts whole that the event has cut, unless the user has edited them. */
export function withWhole(draft: Draft, opened: Draft, { cutFields = [] }: CalendarEvent, whole: CalendarEvent): Draft {
  const next = { ...draft };
  for (const field of ['title', 'description', 'location'] as const)
    if (cutFields.includes(field) && draft[field] === opened[field]) next[field] = whole[field] ?? '';
  return next;
}

type DraftTimes = Pick<Draft, 'allDay' | 'startDate' | 'startTime' | 'endDate' | 'endTime' | 'timeZone'>;

function timesOf({ start, end, allDay }: Slot, timeZone: string): DraftTimes {
  if (allDay) {
    const last = addDays(end, -1);
    const endDate = last < start ? start : last;
    return { allDay, startDate: start, startTime: '09:00', endDate, endTime: '10:00', timeZone };
  }
  const [from, to] = [wallAt(timeZone, Date.parse(start)), wallAt(timeZone, Date.parse(end))];
  return {
    allDay,
    startDate: from.slice(0, 10),
    startTime: from.slice(11),
    endDate: to.slice(0, 10),
    endTime: to.slice(11),
    timeZone,
  };
}

/** Moves the start, and the end by the same amount. */
export function withStart(draft: Draft, change: Partial<Pick<Draft, 'startDate' | 'startTime'>>): Draft {
  const next = { ...draft, ...change };
  if (next.startDate === '' || next.startTime === '') return next;
  const wall = (date: string, time: string) => Date.parse(`${date}T${time}Z`);
  const length = wall(draft.endDate, draft.endTime) - wall(draft.startDate, draft.startTime);
  const days = Math.round((Date.parse(draft.endDate) - Date.parse(draft.startDate)) / 86_400_000);
  if (next.allDay) return Number.isNaN(days) ? next : { ...next, endDate: addDays(next.startDate, Math.max(0, days)) };
  if (Number.isNaN(length) || length < 0) return next;
  const end = new Date(wall(next.startDate, next.startTime) + length).toISOString();
  return { ...next, endDate: end.slice(0, 10), endTime: end.slice(11, 16) };
}

export type Problem = 'start' | 'end' | 'endBeforeStart' | 'guest' | 'repeatEnd' | 'calendar';

/** The invalid fields, each with its problem. */
export function problemsOf(
  draft: Draft,
): Partial<Record<'start' | 'end' | 'guests' | 'repeatEnd' | 'calendarId', Problem>> {
  const { allDay, startDate, startTime, endDate, endTime, guestText, repeat, calendarId } = draft;
  const problems: ReturnType<typeof problemsOf> = {};
  if (startDate === '' || (!allDay && startTime === '')) problems.start = 'start';
  if (endDate === '' || (!allDay && endTime === '')) problems.end = 'end';
  else if (!problems.start && endOf(draft) < startOf(draft)) problems.end = 'endBeforeStart';
  if (guestsIn(guestText) === null) problems.guests = 'guest';
  if (repeat.end.kind === 'on' && (repeat.end.date === '' || repeat.end.date < startDate))
    problems.repeatEnd = 'repeatEnd';
  if (repeat.end.kind === 'after' && !(repeat.end.count >= 1)) problems.repeatEnd = 'repeatEnd';
  if (calendarId === '') problems.calendarId = 'calendar';
  return problems;
}

function startOf({ allDay, startDate, startTime, timeZone }: Draft): number {
  return allDay ? Date.parse(startDate) : atWall(timeZone, `${startDate}T${startTime}`);
}

function endOf({ allDay, endDate, endTime, timeZone }: Draft): number {
  return allDay ? Date.parse(endDate) : atWall(timeZone, `${endDate}T${endTime}`);
}

/** The draft as a new event. */
export function eventOf(draft: Draft): EventPatch {
  const patch: EventPatch = { title: draft.title.trim(), ...whenOf(draft) };
  if (draft.location.trim() !== '') patch.location = draft.location.trim();
  if (draft.description !== '') patch.description = draft.description;
  if (draft.colorId !== null) patch.colorId = draft.colorId;
  const guests = guestsOf(draft);
  if (guests.length > 0) patch.attendees = guests;
  if (!draft.reminders.useDefault) patch.reminders = draft.reminders;
  if (draft.repeat.frequency !== 'none') patch.recurrence = rule(draft);
  if (draft.meeting) patch.conference = 'meet';
  if (draft.transparency !== 'opaque') patch.transparency = draft.transparency;
  if (draft.visibility !== 'default') patch.visibility = draft.visibility;
  return patch;
}

/** Only the fields changed since the form was opened. */
export function patchOf(draft: Draft, opened: Draft): EventPatch {
  const patch: EventPatch = {};
  if (draft.title !== opened.title) patch.title = draft.title.trim();
  if (TIMES.some((name) => draft[name] !== opened[name]) && !sameTimes(draft, opened))
    Object.assign(patch, whenOf(draft));
  // The event's own zone may be one that the browser does not know.
  if (draft.timeZone === opened.timeZone && !opened.allDay) delete patch.timeZone;
  if (draft.location !== opened.location) patch.location = draft.location.trim() || null;
  if (draft.description !== opened.description) patch.description = draft.description || null;
  if (draft.colorId !== opened.colorId) patch.colorId = draft.colorId;
  const guests = guestsOf(draft);
  if (!same(guests, opened.guests)) patch.attendees = guests;
  if (!same(draft.reminders, opened.reminders)) patch.reminders = draft.reminders.useDefault ? null : draft.reminders;
  if (!same(draft.repeat, opened.repeat)) patch.recurrence = draft.repeat.frequency === 'none' ? null : rule(draft);
  if (draft.meeting !== opened.meeting) patch.conference = draft.meeting ? 'meet' : null;
  if (draft.transparency !== opened.transparency) patch.transparency = draft.transparency;
  if (draft.visibility !== opened.visibility) patch.visibility = draft.visibility;
  return patch;
}

const TIMES = ['allDay', 'startDate', 'startTime', 'endDate', 'endTime', 'timeZone'] as const;

/** For all-day events only the days count: the times are hidden. */
function sameTimes(draft: Draft, opened: Draft): boolean {
  const days = draft.startDate === opened.startDate && draft.endDate === opened.endDate;
  return draft.allDay && opened.allDay && days;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function whenOf(draft: Draft): EventPatch {
  if (draft.allDay) return { start: draft.startDate, end: addDays(draft.endDate, 1), allDay: true };
  const { timeZone } = draft;
  return {
    start: rfc3339(timeZone, startOf(draft)),
    end: rfc3339(timeZone, endOf(draft)),
    allDay: false,
    timeZone,
  };
}

function rule(draft: Draft): string[] {
  return linesOf(draft.repeat, draft.allDay ? null : draft.timeZone);
}

/** All guests, including those that are typed but not added. */
export function guestsOf({ guests, guestText }: Pick<Draft, 'guests' | 'guestText'>): Invited[] {
  return withGuests(guests, guestsIn(guestText) ?? []);
}

/** `ann@example.com`, `Ann Lee <ann@example.com>` or `"Lee, Ann" <ann@example.com>` */
const GUEST = /(?:("[^"]*"\s*|[^<>@,;"]*)<)?([^<>@,;\s]+@[^<>@,;\s]+)>?/g;

/** Parses guests separated by commas or spaces; null if the text contains anything else. */
export function guestsIn(text: string): Invited[] | null {
  if (/[^\s,;]/.test(text.replace(GUEST, ''))) return null;
  return [...text.matchAll(GUEST)].map(([, name = '', email = '']) => {
    const displayName = name.replaceAll('"', '').trim();
    return { email, ...(displayName !== '' && { displayName }) };
  });
}

export function withGuests(guests: readonly Invited[], more: readonly Invited[]): Invited[] {
  const known = new Set(guests.map(({ email }) => email.toLowerCase()));
  return [...guests, ...more.filter(({ email }) => !known.has(email.toLowerCase()))];
}
