/**
 * Applies the user's unconfirmed edits to the server's data. Pure.
 *
 * - Events show an edit from the moment it is made, whatever messages arrive. Applied to events that already contain it, it
 *   changes nothing, so the message and the response may arrive in either order.
 * - An edit of several instances of a series applies to the version of the series that was known when it was made. When the
 *   server sends another version, that is shown.
 * - Without edits, the result is exactly the server's data.
 */
import type { Event, EventInstances, EventType } from '../generated/types.js';
import { answered, type Edit, isInPart, isPlain, newEvent, partOf, patched, patchedLike } from './edit.js';
import { flat } from './normal-form.js';
import { inOrder, seriesOf, type Span, touching } from './occurrence.js';
import { type Calendars, eventsOf, group, type LiveData, type SeriesById, type ShownData } from './reducer.js';
import { isOfType } from './upcoming.js';

/**
 * `undoable`: not sent yet. `sending`: no response yet. `pending`: the server keeps trying. `landed`: applied, but not in the
 * live data yet.
 */
export type Phase = 'undoable' | 'sending' | 'pending' | 'landed';

export interface Write {
  /** The idempotency key, one for each action of the user. */
  readonly key: string;
  readonly edit: Edit;
  readonly phase: Phase;
  /** The version of the edited series when the edit was made. */
  readonly version: string;
  /** The calendar's series when the edit was made. A created event is none of them. */
  readonly known: ReadonlySet<string>;
  /** The event in the server's response. */
  readonly answer: Event | null;
}

type Shown = EventInstances | Event;

const NONE: SeriesById<Shown> = new Map();

/** Identifies a version of an event's series by its events. Empty: the series is not in the data. */
export function versionIn(data: ShownData | null, event: Event): string {
  return seriesIn(data?.series, event)
    .map(({ id, etag }) => `${id} ${etag}`)
    .sort()
    .join('\n');
}

/** The events of an event's series. */
export function seriesIn(calendars: Calendars<Shown> | undefined, event: Event): readonly Event[] {
  return flat(event.calendarId, calendars?.get(event.calendarId)?.get(seriesOf(event)));
}

/** The live data with edits applied. */
export function overlaid(data: LiveData, writes: readonly Write[]): ShownData {
  const touches = touching(data.window, 'UTC');
  let series: Calendars<Shown> = data.series;
  for (const write of writes) series = withWrite(series, write, touches, data);
  return series === data.series ? data : { ...data, series };
}

export interface ListContext {
  span: Span;
  zone: string;
  calendarIds?: readonly string[] | undefined;
  eventTypes?: readonly EventType[] | undefined;
  /** A list may contain only a part of a series. The live data has its version. */
  data: ShownData | null;
}

/** A listed range with edits applied: the events that touch the span. */
export function overlaidList(events: Event[], writes: readonly Write[], context: ListContext): Event[] {
  if (writes.length === 0) return events;
  const { span, zone, calendarIds, eventTypes, data } = context;
  const touches = touching(span, zone);
  let calendars: Calendars<Shown> = group(events);
  for (const write of writes) calendars = withWrite(calendars, write, touches, data);
  const all = eventsOf({ series: calendars }, calendarIds);
  return inOrder([...all].filter(isOfType(eventTypes)), zone);
}

type Touches = (event: Event) => boolean;

function withWrite(
  calendars: Calendars<Shown>,
  write: Write,
  touches: Touches,
  data: ShownData | null,
): Calendars<Shown> {
  const { edit } = write;
  if (edit.kind === 'create') return withNew(calendars, write, touches);
  const { event } = edit;
  const series = seriesOf(event);
  const known = seriesIn(calendars, event);
  const version = versionIn(data, event) || write.version;
  const changed = changedBy(write, withUnknown(known, event, touches), version).filter(touches);
  const here = put(calendars, event.calendarId, series, changed);
  if (edit.kind !== 'move') return withAnswer(here, write, touches);
  if (here.get(edit.destinationCalendarId)?.has(series)) return here;
  const moved = known.map((each) => ({ ...each, calendarId: edit.destinationCalendarId }));
  return put(here, edit.destinationCalendarId, series, moved);
}

/** An edit can move an event from outside the loaded range into it. */
function withUnknown(known: readonly Event[], event: Event, touches: Touches): readonly Event[] {
  const missing = !touches(event) && !known.some(({ id }) => id === event.id);
  return missing ? [...known, event] : known;
}

function withNew(calendars: Calendars<Shown>, write: Write, touches: Touches): Calendars<Shown> {
  if (write.answer) return withAnswer(calendars, write, touches);
  if (write.edit.kind !== 'create') return calendars;
  const event = newEvent(write.key, write.edit.calendarId, write.edit.patch);
  const calendar = calendars.get(event.calendarId) ?? NONE;
  for (const [id, events] of calendar) {
    if (!write.known.has(id) && flat(event.calendarId, events).some(looksLike(event))) return calendars;
  }
  return touches(event) ? put(calendars, event.calendarId, event.id, [event]) : calendars;
}

/** Adds the event of the server's response if it is a new series. */
function withAnswer(calendars: Calendars<Shown>, { answer, edit }: Write, touches: Touches): Calendars<Shown> {
  if (!answer || !touches(answer)) return calendars;
  const isNew = edit.kind === 'create' || seriesOf(answer) !== seriesOf(edit.event);
  if (!isNew || calendars.get(answer.calendarId)?.has(seriesOf(answer))) return calendars;
  return put(calendars, answer.calendarId, seriesOf(answer), [answer]);
}

/** A heuristic to recognize a created event in a message until the response has its id. */
function looksLike(created: Event): (event: Event) => boolean {
  const same = (a: string, b: string) => a === b || Date.parse(a) === Date.parse(b);
  return (event) =>
    event.title === created.title &&
    event.allDay === created.allDay &&
    same(event.start, created.start) &&
    same(event.end, created.end);
}

function put(calendars: Calendars<Shown>, calendarId: string, id: string, events: readonly Event[]): Calendars<Shown> {
  const before = calendars.get(calendarId) ?? NONE;
  const known = flat(calendarId, before.get(id));
  if (known.length === events.length && known.every((event, index) => event === events[index])) return calendars;
  const calendar = new Map(before);
  if (events.length > 0) calendar.set(id, events);
  else calendar.delete(id);
  return new Map(calendars).set(calendarId, calendar);
}

/** The instances of a series with the edit applied. `version` is the series' current version in the server's data. */
function changedBy(write: Write, events: readonly Event[], version: string): readonly Event[] {
  const { edit, answer } = write;
  if (edit.kind === 'create') return events;
  const { event } = edit;
  const part = partOf(edit);
  if (edit.kind === 'delete') return events.filter((each) => !isInPart(each, event, part));
  if (edit.kind === 'move') return events.filter((each) => seriesOf(each) !== seriesOf(event));
  if (part === 'this') {
    const now = (each: Event) => answer ?? only(edit, each);
    return events.map((each) => (each.id === event.id ? now(each) : each));
  }
  if (version !== write.version) return events;
  return events.map((each) => {
    const isMeant = isInPart(each, event, part) && (each.id === event.id || isPlain(each));
    if (!isMeant) return each;
    return edit.kind === 'respond' ? answered(each, edit.responseStatus) : patchedLike(each, event, edit.patch);
  });
}

function only(edit: Extract<Edit, { kind: 'update' | 'respond' }>, event: Event): Event {
  return edit.kind === 'respond' ? answered(event, edit.responseStatus) : patched(event, edit.patch);
}
