/**
 * The live data, and how a message changes it. Pure.
 *
 * A message is applied if its `seq` is the next one, and ignored if it is older. After a gap, and when a message does not
 * contain the changes, a new snapshot is needed.
 */
import type { Event, Freshness, Message, RealtimeState, Series } from '../generated/types.js';
import { older, seriesOf, type Span, touching } from './occurrence.js';

export type SeriesById = ReadonlyMap<string, readonly Event[]>;

/** All of a user's events within a window, by calendar and series. Never changed in place. */
export interface LiveData {
  readonly streamEpoch: string;
  /** The last message that the data contains. */
  readonly seq: number;
  readonly window: Readonly<Span>;
  readonly series: ReadonlyMap<string, SeriesById>;
  /** The selected calendars. */
  readonly freshness: readonly Freshness[];
  readonly connected: boolean;
  readonly hasCalendarAccess: boolean;
}

const NONE: SeriesById = new Map();

export type Outcome =
  | { kind: 'applied'; data: LiveData }
  /** The data contains it already. */
  | { kind: 'seen' }
  /** Earlier messages are missing. */
  | { kind: 'gap' }
  /** It announces a change without its content. */
  | { kind: 'reload' };

export function fromSnapshot(state: RealtimeState): LiveData {
  return {
    streamEpoch: state.streamEpoch,
    seq: state.seq,
    window: windowOf(state),
    series: group(state.events),
    freshness: state.calendars,
    connected: state.connected,
    hasCalendarAccess: state.hasCalendarAccess,
  };
}

/** A truncated snapshot contains all events that start before its last one. */
function windowOf({ window, events, truncated }: RealtimeState): Span {
  const from = Date.parse(window.from);
  const last = truncated ? events.at(-1) : undefined;
  return { from, to: last ? Math.max(from, Date.parse(last.start)) : Date.parse(window.to) };
}

export function apply(data: LiveData, message: Message): Outcome {
  if (message.seq <= data.seq) return { kind: 'seen' };
  if (message.seq > data.seq + 1) return { kind: 'gap' };
  // An earlier message contained the changes of the write.
  if (message.type === 'write.resolved') return { kind: 'applied', data: { ...data, seq: message.seq } };
  if (message.type !== 'events.changed') return { kind: 'reload' };
  const known = data.freshness.find(({ calendarId }) => calendarId === message.calendarId);
  // A calendar that is new or was behind is current now, but the message does not have its mode.
  if (!known || known.mode === 'stale' || known.mode === 'paused') return { kind: 'reload' };
  const series = new Map(data.series);
  series.set(message.calendarId, replace(series.get(message.calendarId) ?? NONE, message, data.window));
  return { kind: 'applied', data: { ...data, seq: message.seq, series, freshness: refreshed(data, message) } };
}

interface EventsChanged {
  window: { from: string; to: string };
  upserted: Series[];
  deleted: string[];
}

function replace(calendar: SeriesById, message: EventsChanged, kept: Span): SeriesById {
  const window = { from: Date.parse(message.window.from), to: Date.parse(message.window.to) };
  const isInMessage = touching(window, 'UTC');
  const isKept = touching(kept, 'UTC');
  const next = new Map(calendar);
  const put = (id: string, occurrences: readonly Event[]) => {
    // The window advances daily, so the live data may reach further back than the message.
    const beyond = (next.get(id) ?? []).filter((event) => !isInMessage(event));
    const events = [...beyond, ...occurrences.filter(isKept)];
    if (events.length > 0) next.set(id, events);
    else next.delete(id);
  };
  for (const { eventId, occurrences } of message.upserted) put(eventId, occurrences);
  for (const id of message.deleted) put(id, []);
  return next;
}

function refreshed(data: LiveData, message: { calendarId: string; asOf: string }): readonly Freshness[] {
  return data.freshness.map((calendar) =>
    calendar.calendarId === message.calendarId && older(calendar.asOf, message.asOf)
      ? { ...calendar, asOf: message.asOf }
      : calendar,
  );
}

export function group(events: readonly Event[]): Map<string, Map<string, Event[]>> {
  const calendars = new Map<string, Map<string, Event[]>>();
  for (const event of events) {
    let calendar = calendars.get(event.calendarId);
    if (!calendar) {
      calendar = new Map<string, Event[]>();
      calendars.set(event.calendarId, calendar);
    }
    const series = calendar.get(seriesOf(event));
    if (series) series.push(event);
    else calendar.set(seriesOf(event), [event]);
  }
  return calendars;
}

/** All events, or those of the given calendars. */
export function* eventsOf(data: LiveData, calendarIds?: readonly string[]): Generator<Event> {
  for (const [calendarId, calendar] of data.series) {
    if (calendarIds && !calendarIds.includes(calendarId)) continue;
    for (const series of calendar.values()) yield* series;
  }
}
