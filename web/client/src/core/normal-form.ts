/**
 * Events in normal form, as messages and snapshots carry them: the view of an event once, and the times of its instances.
 * Fields that have their default are left out. Flat events are derived from it.
 */
import type { Attendee, Event, EventInstances, EventView } from '../generated/types.js';

/** The defaults of all fields that an Event always has. */
export const DEFAULTS: EventView = {
  title: '',
  allDay: false,
  timeZone: null,
  description: null,
  location: null,
  htmlLink: null,
  status: 'confirmed',
  eventType: 'default',
  transparency: 'opaque',
  visibility: 'default',
  colorId: null,
  attendees: [],
  organizer: null,
  conferenceUrl: null,
  recurrence: [],
  reminders: null,
  canEdit: [],
  canDelete: false,
  etag: '',
  iCalUID: null,
  copyRank: 0,
};
const PERSON = { email: null, displayName: null, self: false };
export const GUEST: Attendee = { ...PERSON, optional: false, responseStatus: 'needsAction' };
const REMINDERS = { useDefault: false, overrides: [] };

const all: (times: Times) => boolean = () => true;

type Common = Omit<Event, 'id' | 'start' | 'end'>;

const flattened = new WeakMap<EventInstances, { common: Common; events: Event[] }>();

/**
 * The instances of an event of a calendar, as an Event each: all, or those that `isIn` accepts. The same object has the same
 * ones each time.
 */
export function flatten(calendarId: string, event: EventInstances, isIn = all): Event[] {
  let known = flattened.get(event);
  if (!known) flattened.set(event, (known = { common: commonOf(calendarId, event), events: [] }));
  const { common, events } = known;
  return event.instances.flatMap(([start, end], i) =>
    isIn({ allDay: common.allDay, start, end })
      ? (events[i] ??= { ...common, id: idOf(common, start), start, end })
      : [],
  );
}

/** Shared by all instances. */
function commonOf(calendarId: string, event: EventInstances): Common {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- an Event has its own times
  const { instances, recurringEventId = null, ...shown } = event;
  const common = { ...DEFAULTS, ...shown, calendarId, recurringEventId } as Common;
  common.attendees = common.attendees.map((guest) => ({ ...GUEST, ...guest }));
  common.organizer &&= { ...PERSON, ...common.organizer };
  common.reminders &&= { ...REMINDERS, ...common.reminders };
  return common;
}

/** As Google derives it. A series that was split off another has the id of that one in the ids of its instances. */
function idOf({ eventId, recurringEventId, allDay }: Common, start: string): string {
  if (eventId !== recurringEventId) return eventId;
  const original = allDay ? start : new Date(start).toISOString();
  return `${eventId.replace(/(.)_R[\dTZ]{8,}$/, '$1')}_${original.replace(/[-:]|\.\d+/g, '')}`;
}

/** The flat events of a series: all, or those that `isIn` accepts. */
export function flat(calendarId: string, series: readonly (EventInstances | Event)[] = [], isIn = all): Event[] {
  return series.flatMap((event) =>
    'instances' in event ? flatten(calendarId, event, isIn) : isIn(event) ? event : [],
  );
}

/** The event with the instances that `isKept` accepts, if any. */
export function trimmed(event: EventInstances, isKept: (times: Times) => boolean): EventInstances[] {
  const { allDay = false, instances } = event;
  const kept = instances.filter(([start, end]) => isKept({ allDay, start, end }));
  if (kept.length === instances.length) return [event];
  return kept.length > 0 ? [{ ...event, instances: kept }] : [];
}

/** When one instance takes place. */
export type Times = Pick<Event, 'allDay' | 'start' | 'end'>;

/** The events, and for each that has not changed the object that is held, so that its flat events stay the same, too. */
export function reusing(held: readonly EventInstances[] = [], events: readonly EventInstances[]): EventInstances[] {
  const isSame = (event: EventInstances) => (one: EventInstances) =>
    one.eventId === event.eventId && JSON.stringify(one) === JSON.stringify(event);
  return events.map((event) => held.find(isSame(event)) ?? event);
}
