// Describes changes of events: "Design review moved to Tue 3 pm".

import { type CalendarEvent, flatten, type Message, type Series } from '@calwire/client';

export interface EventChange {
  title: string;
  /** The change, to be read after the title. */
  what: string;
}

/** The instances of each series in order, by `seriesKey`. */
export type EventsBySeries = Map<string, CalendarEvent[]>;

export function seriesKey(calendarId: string, seriesId: string): string {
  return `${calendarId} ${seriesId}`;
}

/** The changes in a message. Updates `known` to the state after it. */
export function changesOf(message: Message, known: EventsBySeries): EventChange[] {
  if (message.type !== 'events.changed') return [];
  const { calendarId, upserted, deleted } = message;
  const changes: (EventChange | null)[] = [
    ...upserted.map((series) => {
      const instances = instancesOf(calendarId, series);
      return ofSeries(instances, replace(known, seriesKey(calendarId, series.seriesId), instances));
    }),
    ...deleted.map((seriesId) => ofDeleted(replace(known, seriesKey(calendarId, seriesId), []))),
  ];
  return changes.filter((change) => change !== null);
}

function instancesOf(calendarId: string, { events }: Series): CalendarEvent[] {
  const instances = events.flatMap((event) => flatten(calendarId, event));
  return instances.sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
}

/** Returns the former instances. */
function replace(known: EventsBySeries, key: string, instances: CalendarEvent[]): CalendarEvent[] {
  const before = known.get(key) ?? [];
  if (instances.length === 0) known.delete(key);
  else known.set(key, instances);
  return before;
}

function ofDeleted([first]: CalendarEvent[]): EventChange | null {
  return first ? { title: first.title, what: 'was removed' } : null;
}

function ofSeries(instances: CalendarEvent[], before: CalendarEvent[]): EventChange | null {
  const first = next(instances);
  const former = next(before);
  if (!first) return former ? { title: former.title, what: 'left the coming weeks' } : null;
  if (!former) return { title: first.title, what: `was added · ${when(first)}` };
  const ids = new Map(before.map((event) => [event.id, event]));
  const kept = instances.filter((event) => ids.has(event.id));
  // Instance ids contain the original start, so a series that was moved as a whole keeps none of them.
  if (kept.length === 0) return between(former, first);
  const changed = kept.find((event) => between(ids.get(event.id), event) !== null);
  if (changed) return between(ids.get(changed.id), changed);
  return { title: first.title, what: kept.length < before.length ? 'was cancelled on a day' : 'was changed' };
}

/** The next instance of a series. */
function next(instances: CalendarEvent[]): CalendarEvent | undefined {
  const now = Date.now();
  return instances.find(({ end }) => Date.parse(end) > now) ?? instances[0];
}

function between(before: CalendarEvent | undefined, after: CalendarEvent): EventChange | null {
  if (!before) return null;
  const { title } = after;
  if (before.title !== title) return { title: before.title, what: `is called “${title}” now` };
  if (!sameTime(before, after)) return { title, what: `moved to ${when(after)}` };
  if (before.location !== after.location)
    return { title, what: after.location ? `is at ${after.location} now` : 'has no place now' };
  if (before.status !== after.status) return { title, what: `is ${after.status} now` };
  return before.etag === after.etag ? null : { title, what: 'was changed' };
}

function sameTime(a: CalendarEvent, b: CalendarEvent): boolean {
  if (a.allDay || b.allDay) return a.start === b.start && a.end === b.end;
  return Date.parse(a.start) === Date.parse(b.start) && Date.parse(a.end) === Date.parse(b.end);
}

const MOMENT = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
});
const DATE = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });

function when({ allDay, start }: CalendarEvent): string {
  if (!allDay) return MOMENT.format(new Date(start));
  const [year = 0, month = 1, day = 1] = start.split('-').map(Number);
  return DATE.format(new Date(year, month - 1, day));
}
