/** Flat events in the server's normal form, as it is on the wire. */
import { DEFAULTS, flatten } from '../src/core/normal-form.js';
import type { Event, EventInstances, Series } from '../src/generated/types.js';

/** Events of one calendar, by series. They must have the ids that are derived from their starts. */
export function seriesFrom(events: readonly Event[]): Series[] {
  const series = new Map<string, Map<string, EventInstances>>();
  for (const event of events) {
    const seriesId = event.recurringEventId ?? event.eventId;
    const views = series.get(seriesId) ?? new Map<string, EventInstances>();
    series.set(seriesId, views);
    const one = instance(event);
    const { instances, ...view } = one;
    const key = JSON.stringify(view);
    const known = views.get(key);
    if (known) known.instances.push(...instances);
    else views.set(key, one);
    const derived = flatten(event.calendarId, instance(event))[0]?.id;
    if (derived !== event.id) throw new Error(`the id is ${event.id} instead of ${derived}`);
  }
  return [...series].map(([seriesId, views]) => ({ seriesId, events: [...views.values()] }));
}

/** By calendar. */
export function snapshotOf(events: readonly Event[]): Record<string, Series[]> {
  const calendars = new Set(events.map(({ calendarId }) => calendarId));
  const ofCalendar = (id: string) => seriesFrom(events.filter(({ calendarId }) => calendarId === id));
  return Object.fromEntries([...calendars].map((id) => [id, ofCalendar(id)]));
}

function instance(event: Event): EventInstances {
  const { eventId, recurringEventId, start, end } = event;
  const shown = Object.entries(event).filter(([name, value]) => !APART.has(name) && !isDefault(name, value));
  const view = Object.fromEntries(shown.map(([name, value]) => [name, briefly(value)]));
  const ids = recurringEventId === null ? { eventId } : { eventId, recurringEventId };
  return structuredClone({ ...ids, instances: [[start, end]], ...view });
}

/** The fields of an Event that are not part of its view. */
const APART = new Set(['id', 'start', 'end', 'calendarId', 'eventId', 'recurringEventId', 'copies']);

function isDefault(name: string, value: unknown): boolean {
  return value === undefined || JSON.stringify(value) === JSON.stringify(DEFAULTS[name as keyof typeof DEFAULTS]);
}

/** Nested objects without members that are null, false or empty. */
function briefly(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(briefly);
  if (typeof value !== 'object' || value === null) return value;
  const isEmpty = (member: unknown) => member === null || member === false || (Array.isArray(member) && !member.length);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => !isEmpty(member))
      .map(([name, member]) => [name, briefly(member)]),
  );
}
