import { type CSSProperties, type ReactElement, useMemo } from 'react';

import { busyIntervals } from '../../core/busy.js';
import type { Span } from '../../core/occurrence.js';
import { dayEnd, dayStart } from '../../core/zone.js';
import type { CalendarInfo } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { colourOf, eventStyle, plainLine } from '../format/index.js';
import type { Range } from '../full-calendar/range.js';
import { useCalendars } from '../hooks/index.js';
import { Foreign } from './base.js';
import type { BusyChoice } from './busy-choice.js';
import type { Labels } from './labels.js';

/** The busy times of one calendar. */
export interface BusyLane {
  calendar: CalendarInfo;
  spans: Span[];
}

export interface BusyOverlay {
  /** The events to show as events. */
  events: CalendarEvent[];
  lanes: BusyLane[];
  /** The times when any of the calendars is busy. */
  any: Span[];
}

interface Options {
  /** Null: show all calendars as events. */
  choice: BusyChoice | null;
  calendarIds: readonly string[] | undefined;
  range: Range;
  zone: string;
}

/** Separates the events of calendars that are shown by their busy times from the others. */
export function useBusyOverlay(events: CalendarEvent[], { choice, calendarIds, range, zone }: Options): BusyOverlay {
  const { calendars } = useCalendars();
  return useMemo(() => {
    const isShown = ({ id, selected }: CalendarInfo) => calendarIds?.includes(id) ?? selected;
    const chosen = choice ? calendars.filter((calendar) => isShown(calendar) && choice.isBusyOnly(calendar)) : [];
    if (chosen.length === 0) return { events, lanes: [], any: [] };
    const span = { from: dayStart(zone, range.first), to: dayEnd(zone, range.last) };
    const isOf = new Set(chosen.map(({ id }) => id));
    const isElsewhere = ({ calendarId, copies = [] }: CalendarEvent) =>
      [calendarId, ...copies.map((copy) => copy.calendarId)].some((id) => !isOf.has(id));
    const lanes = chosen.map((calendar) => ({ calendar, events: events.flatMap((event) => copyIn(calendar, event)) }));
    const all = lanes.flatMap((lane) => lane.events);
    return {
      events: events.filter(isElsewhere),
      lanes: lanes.map((lane) => ({ calendar: lane.calendar, spans: busyIntervals(lane.events, span, zone) })),
      any: busyIntervals(all, span, zone),
    };
  }, [events, calendars, choice, calendarIds, range, zone]);
}

/** The event as this calendar has it, which may be a duplicate of the shown one. */
function copyIn(calendar: CalendarInfo, event: CalendarEvent): CalendarEvent[] {
  if (event.calendarId === calendar.id) return [event];
  const copy = event.copies?.find(({ calendarId }) => calendarId === calendar.id);
  if (!copy) return [];
  const { responseStatus } = copy;
  const owner = { email: null, displayName: null, self: true, optional: false };
  return [{ ...event, attendees: responseStatus === null ? [] : [{ ...owner, responseStatus }] }];
}

export function laneName({ summary }: CalendarInfo, labels: Labels): string {
  return plainLine(summary) || labels.untitled;
}

export function laneStyle(calendar: CalendarInfo): CSSProperties {
  return eventStyle(colourOf({ colorId: null }, calendar));
}

/** Makes room for the lanes' strips beside the events. */
export function roomFor(lanes: readonly BusyLane[]): CSSProperties {
  const style: CSSProperties & Record<`--${string}`, number> = { '--calwire-lanes': lanes.length };
  return style;
}

/** The calendars whose busy times are shown. */
export function BusyLegend({ lanes, labels }: { lanes: readonly BusyLane[]; labels: Labels }): ReactElement | null {
  if (lanes.length === 0) return null;
  return (
    <div className="calwire-busy-legend">
      <span className="calwire-busy-sample" aria-hidden="true" />
      <span>{labels.busyTimes}</span>
      <ul aria-label={labels.busyTimes}>
        {lanes.map(({ calendar }) => (
          <li key={calendar.id} style={laneStyle(calendar)}>
            <span className="calwire-swatch" aria-hidden="true" />
            <span className="calwire-clamp-1">
              <Foreign>{laneName(calendar, labels)}</Foreign>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
