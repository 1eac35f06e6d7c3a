/**
 * The live data, and how a message changes it. Pure.
 *
 * A message is applied if its `seq` is the next one, and ignored if it is older. After a gap, and when a message does not
 * contain the changes, a load is needed. Its answer has all events, or the messages since the data that the request named.
 */
import type { Event, EventInstances, Freshness, Message, RealtimeState, Series, Window } from '../generated/types.js';
import { flat, reusing, type Times, trimmed } from './normal-form.js';
import { refreshed, seriesOf, type Span, touching } from './occurrence.js';

/** The version of messages that this page understands. */
const VERSION = 2;

export type SeriesById<E = EventInstances> = ReadonlyMap<string, readonly E[]>;

/** By calendar and series. */
export type Calendars<E = EventInstances> = ReadonlyMap<string, SeriesById<E>>;

/** All of a user's events within a window. Never changed in place. */
export interface LiveData<E = EventInstances> {
  readonly streamEpoch: string;
  /** The last message that the data contains. */
  readonly seq: number;
  /** The time in which no event is missing. */
  readonly window: Readonly<Span>;
  /** The window as the server named it, for a request of later changes. Null: some of its events have been dropped. */
  readonly loaded: Readonly<Window> | null;
  readonly series: Calendars<E>;
  /** The selected calendars. */
  readonly freshness: readonly Freshness[];
  readonly connected: boolean;
  readonly hasCalendarAccess: boolean;
}

/** With edits applied: an edited series has flat events. */
export type ShownData = LiveData<EventInstances | Event>;

/** `gap`: earlier messages are missing. `reload`: the message announces a change without its content. */
export type Missing = 'gap' | 'reload';

/** The data of an answer to a request that named `held`. Null: the answer does not fit to it. */
export function fromState(state: RealtimeState, held: LiveData | null): LiveData | null {
  const { streamEpoch, seq, window: loaded, calendars: freshness, connected, hasCalendarAccess, snapshot } = state;
  const now = { streamEpoch, freshness, connected, hasCalendarAccess };
  if (!snapshot) {
    if (held?.freshness.length !== freshness.length) return null;
    const { data } = applyAll({ ...held, ...now }, state.messages);
    return data.seq === seq ? data : null;
  }
  const window = spanOf({ from: loaded.from, to: snapshot.until ?? loaded.to });
  const series = new Map<string, SeriesById>();
  for (const [id, listed] of Object.entries(snapshot.series)) {
    const known = held?.series.get(id);
    series.set(id, new Map(listed.map(({ seriesId, events }) => [seriesId, reusing(known?.get(seriesId), events)])));
  }
  return { ...now, seq, window, loaded, series };
}

function spanOf({ from, to }: Window): Span {
  return { from: Date.parse(from), to: Date.parse(to) };
}

/** The data with the message; the same data if it contains the message already. */
export function apply(data: LiveData, message: Message): LiveData | Missing {
  const { seq } = message;
  if (seq <= data.seq) return data;
  if (seq > data.seq + 1) return 'gap';
  if (message.v !== VERSION) return 'reload';
  // An earlier message contained the changes of the write.
  if (message.type === 'write.resolved') return { ...data, seq };
  if (message.type !== 'events.changed') return 'reload';
  const { calendarId, asOf } = message;
  const known = data.freshness.find((calendar) => calendar.calendarId === calendarId);
  // A calendar that is new or was behind is current now, but the message does not have its mode.
  if (!known || known.mode === 'stale' || known.mode === 'paused') return 'reload';
  const series = new Map(data.series).set(calendarId, replace(data, message));
  return { ...data, seq, series, freshness: refreshed(data.freshness, [{ ...known, asOf }]) };
}

/** Applies messages in order. `missing`: why the first of those that could not be applied was not. */
export function applyAll(
  data: LiveData,
  messages: readonly Message[],
): { data: LiveData; missing: Missing | undefined } {
  let missing: Missing | undefined;
  for (const message of messages) {
    const next = apply(data, message);
    if (typeof next === 'object') data = next;
    else missing ??= next;
  }
  return { data, missing };
}

/** The data of a part of its time. */
export function within(data: LiveData, window: Span): LiveData {
  const isIn = touching(window, 'UTC');
  const ofSeries = (calendar: SeriesById) =>
    new Map([...calendar].map(([id, events]) => [id, events.flatMap((event) => trimmed(event, isIn))]));
  return { ...data, window, loaded: null, series: new Map([...data.series].map(([id, all]) => [id, ofSeries(all)])) };
}

interface EventsChanged {
  calendarId: string;
  window: { from: string; to: string };
  upserted: Series[];
  deleted: string[];
}

function replace(data: LiveData, message: EventsChanged): SeriesById {
  const isInMessage = touching(spanOf(message.window), 'UTC');
  const isKept = touching(data.window, 'UTC');
  const next = new Map(data.series.get(message.calendarId));
  const put = (id: string, changed: readonly EventInstances[]) => {
    const known = next.get(id) ?? [];
    // The window advances daily, so the live data may reach further back than the message.
    const beyond = known.flatMap((event) => trimmed(event, (times) => !isInMessage(times)));
    const here = changed.flatMap((event) => trimmed(event, isKept));
    const events = [...beyond, ...reusing(known, here)];
    if (events.length > 0) next.set(id, events);
    else next.delete(id);
  };
  for (const { seriesId, events } of message.upserted) put(seriesId, events);
  for (const id of message.deleted) put(id, []);
  return next;
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

/** All events, or those of the given calendars that `isIn` accepts, flat. */
export function* eventsOf(
  { series }: Pick<ShownData, 'series'>,
  calendarIds?: readonly string[],
  isIn?: (times: Times) => boolean,
): Generator<Event> {
  for (const [calendarId, calendar] of series) {
    if (calendarIds && !calendarIds.includes(calendarId)) continue;
    for (const events of calendar.values()) yield* flat(calendarId, events, isIn);
  }
}
