/** Edits, and their effect on events. Pure. */
import type { Attendee, Event, EventPatch, ResponseStatus, SendUpdates, SeriesScope } from '../generated/types.js';
import { DEFAULTS, GUEST } from './normal-form.js';
import { seriesOf } from './occurrence.js';
import { addDays, atWall, DAY, isZone, localZone, rfc3339, wallAt } from './zone.js';

interface MailingOption {
  /** Which guests Google mails. Default: all, if there are guests. */
  sendUpdates?: SendUpdates | undefined;
}

/** `event` is the event as the user saw it. The edit is based on its `etag`. */
export type Edit =
  | ({ kind: 'create'; calendarId: string; patch: EventPatch } & MailingOption)
  | ({ kind: 'update'; event: Event; patch: EventPatch; scope?: SeriesScope | undefined } & MailingOption)
  | ({ kind: 'delete'; event: Event; scope?: SeriesScope | undefined } & MailingOption)
  | ({ kind: 'move'; event: Event; destinationCalendarId: string } & MailingOption)
  | ({
      kind: 'respond';
      event: Event;
      responseStatus: ResponseStatus;
      comment?: string | undefined;
      scope?: SeriesScope | undefined;
    } & MailingOption);

/** The part of its series that an edit changes. A single event counts as `this`. */
export function partOf(edit: Edit): SeriesScope {
  if (edit.kind === 'create' || edit.event.recurringEventId === null) return 'this';
  if (edit.kind === 'move') return 'all';
  return edit.scope ?? 'this';
}

const NEW = 'calwire-new:';

/** The placeholder of an event that a write with this key creates, until the server has assigned its id. */
export function newEvent(key: string, calendarId: string, patch: EventPatch): Event {
  const id = `${NEW}${key}`;
  const blank = { ...DEFAULTS, id, start: '', end: '', calendarId, eventId: id, recurringEventId: null };
  return patched(blank, patch);
}

/** Whether the server has not assigned an id yet. Until then the event cannot be edited. */
export function isUnnamed(event: Pick<Event, 'id'>): boolean {
  return event.id.startsWith(NEW);
}

/** The fields that a patch sets, or clears to their default. */
const PLAIN = [
  'title',
  'description',
  'location',
  'colorId',
  'recurrence',
  'reminders',
  'transparency',
  'visibility',
] as const;

/** The event with the patch applied. Fields that only the server can set, such as a meeting's link, stay as they are. */
export function patched(event: Event, patch: EventPatch): Event {
  const next: Event = { ...event, ...timesOf(event, patch) };
  for (const field of PLAIN) {
    if (patch[field] !== undefined) Object.assign(next, { [field]: patch[field] ?? DEFAULTS[field] });
  }
  if (patch.conference === null) next.conferenceUrl = null;
  if (patch.attendees !== undefined) next.attendees = guestsOf(event, patch.attendees ?? []);
  return next;
}

type EventTimes = Pick<Event, 'start' | 'end' | 'allDay' | 'timeZone' | 'endTimeZone'>;

function timesOf(event: Event, { start, end, timeZone, endTimeZone }: EventPatch): EventTimes {
  const allDay = /^\d{4}-\d{2}-\d{2}$/.test(start ?? event.start);
  const zone = allDay ? null : (timeZone ?? event.timeZone);
  const times = { start: start ?? event.start, end: end ?? event.end, allDay, timeZone: zone };
  // The end keeps its zone while the start does.
  const endZone = endTimeZone ?? (zone === event.timeZone ? event.endTimeZone : undefined);
  return { ...times, endTimeZone: allDay || endZone === zone ? undefined : endZone };
}

/** Existing guests keep their response. Guests without an address cannot be edited, and stay. */
function guestsOf(event: Event, guests: NonNullable<EventPatch['attendees']>): Attendee[] {
  const listed = guests.flatMap(({ email, displayName = null, optional = false }): Attendee[] => {
    if (email === null) return [];
    const known = event.attendees.find((guest) => guest.email?.toLowerCase() === email.toLowerCase());
    return [{ ...(known ?? { ...GUEST, email, displayName }), optional }];
  });
  return [...listed, ...event.attendees.filter(({ email }) => email === null)];
}

export function answered(event: Event, responseStatus: ResponseStatus): Event {
  return {
    ...event,
    attendees: event.attendees.map((guest) => (guest.self ? { ...guest, responseStatus } : guest)),
  };
}

/** An instance without individual changes. An instance that was changed individually is not changed with its series. */
export function isPlain(event: Event): boolean {
  return event.recurringEventId !== null && event.eventId === event.recurringEventId;
}

export function isInPart(event: Event, edited: Event, part: SeriesScope): boolean {
  if (part === 'this') return event.id === edited.id;
  if (seriesOf(event) !== seriesOf(edited)) return false;
  return part === 'all' || event.id === edited.id || startOf(event) >= startOf(edited);
}

function startOf(event: Event): number {
  return Date.parse(event.start);
}

/** An instance after an edit of another instance of its series: its local times move by the same amount. */
export function patchedLike(event: Event, edited: Event, patch: EventPatch): Event {
  const { start, end, timeZone, endTimeZone, ...others } = patch;
  const rest = patched(event, others);
  if (start === undefined && end === undefined) return rest;
  const target = patched(edited, { start, end, timeZone, endTimeZone });
  if (target.allDay !== event.allDay || edited.allDay !== event.allDay) return rest;
  const zone = target.timeZone ?? event.timeZone;
  const move = event.allDay ? movedDate : movedTime(zone && isZone(zone) ? zone : localZone());
  return {
    ...rest,
    timeZone: target.timeZone,
    endTimeZone: target.endTimeZone,
    start: move(event.start, edited.start, target.start),
    end: move(event.end, edited.end, target.end),
  };
}

function movedDate(date: string, from: string, to: string): string {
  return addDays(date, (Date.parse(to) - Date.parse(from)) / DAY);
}

function movedTime(zone: string): (time: string, from: string, to: string) => string {
  const wall = (time: string) => Date.parse(`${wallAt(zone, Date.parse(time))}Z`);
  return (time, from, to) => {
    const moved = new Date(wall(time) + wall(to) - wall(from)).toISOString().slice(0, 16);
    return rfc3339(zone, atWall(zone, moved));
  };
}
