import type { EventDisplayInfo } from '@fullcalendar/react';
import type { ReactElement } from 'react';

import type { CalendarEvent } from '../../index.js';
import { plainLine, shorten } from '../format/index.js';
import { Foreign, type Palette, type Words } from '../widgets/base.js';
import type { Editing } from '../widgets/editing.js';
import { isDeclined, isPrivate, timesOf, titleOf } from '../widgets/event-text.js';
import { LockIcon } from '../widgets/icons.js';

/** The phase of an event's pending edit; null when there is none. */
export type EditPhase = ReturnType<Editing['stateOf']>;

/** An event's id within the grid. */
export function keyOf({ calendarId, id }: Pick<CalendarEvent, 'calendarId' | 'id'>): string {
  return `${calendarId} ${id}`;
}

/** Undefined for FullCalendar's own elements, such as the selection that is being dragged. */
function eventIn(event: { extendedProps: Record<string, unknown> }): CalendarEvent | undefined {
  return event.extendedProps['event'] as CalendarEvent | undefined;
}

export function eventOf(event: { extendedProps: Record<string, unknown> }): CalendarEvent {
  return event.extendedProps['event'] as CalendarEvent;
}

interface ChipProps {
  info: EventDisplayInfo;
  palette: Palette;
  words: Words;
}

export function Chip({ info, palette, words }: ChipProps): ReactElement {
  const event = eventIn(info.event);
  return event ? (
    <EventChip info={info} event={event} palette={palette} words={words} />
  ) : (
    <div className="calwire-chip calwire-chip-new" data-shape="box">
      <span className="calwire-chip-time">{info.timeText}</span>
    </div>
  );
}

function EventChip({ info, event, palette, words }: ChipProps & { event: CalendarEvent }): ReactElement {
  const place = shorten(plainLine(event.location), 100);
  const shape = event.allDay ? 'bar' : info.view.type.startsWith('dayGrid') && !isLong(event) ? 'line' : 'box';
  return (
    <div
      className="calwire-chip"
      style={palette.styleOf(event)}
      data-event={keyOf(event)}
      data-shape={shape}
      data-edit={(info.event.extendedProps['state'] as EditPhase) ?? undefined}
      data-short={info.isShort}
      data-narrow={info.isNarrow}
      data-over={info.event.extendedProps['isOver'] === true}
      data-declined={isDeclined(event)}
      data-tentative={event.status === 'tentative'}
      data-start={info.isStart}
      data-end={info.isEnd}
    >
      <span className="calwire-hidden">{info.event.title}</span>
      {shape === 'line' && <span className="calwire-chip-dot" />}
      <span className="calwire-chip-title" aria-hidden="true">
        {isPrivate(event) && <LockIcon />}
        <Foreign>{titleOf(event, words.labels)}</Foreign>
      </span>
      {!event.allDay && (
        <span className="calwire-chip-time" aria-hidden="true">
          {shape === 'line' ? words.formats.time(event.start) : timesOf(event, words)}
        </span>
      )}
      {place && shape === 'box' && (
        <span className="calwire-chip-place" aria-hidden="true">
          <Foreign>{place}</Foreign>
        </span>
      )}
    </div>
  );
}

function isLong(event: CalendarEvent): boolean {
  return new Date(event.end).getTime() - new Date(event.start).getTime() >= 86_400_000;
}
