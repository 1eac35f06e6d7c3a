import type { ReactElement } from 'react';

import type { CalendarEvent } from '../../index.js';
import { countdownOf, type DayString, plainLine, shorten } from '../format/index.js';
import { Foreign, type Moment, type Palette, type Words } from './base.js';
import { dayInSpan, endText, isDeclined, isPrivate, timesOn, titleOf } from './event-text.js';
import { LockIcon } from './icons.js';

/** The context of every row. */
export interface EventListContext {
  moment: Moment;
  palette: Palette;
  words: Words;
  onOpen: (event: CalendarEvent) => void;
}

interface EventListProps {
  day: DayString;
  events: readonly CalendarEvent[];
  context: EventListContext;
}

/** The events of one day, as buttons that open their details. */
export function EventList({ day, events, context }: EventListProps): ReactElement {
  return (
    <ul className="calwire-events">
      {events.map((event) => (
        <li key={`${event.calendarId} ${event.id}`}>
          <EventRow event={event} day={day} context={context} />
        </li>
      ))}
    </ul>
  );
}

interface EventRowProps {
  event: CalendarEvent;
  day: DayString;
  context: EventListContext;
}

function EventRow({ event, day, context: { moment, palette, words, onOpen } }: EventRowProps): ReactElement {
  const { labels } = words;
  const running = day === moment.today && countdownOf(event, moment.now)?.state === 'running';
  const place = shorten(plainLine(event.location), 200);
  const times = [timesOn(day, event, words), dayInSpan(event, day, words)].filter(Boolean).join(' · ');
  return (
    <button
      type="button"
      className="calwire-event"
      style={palette.styleOf(event)}
      data-running={running}
      data-declined={isDeclined(event)}
      data-tentative={event.status === 'tentative'}
      aria-haspopup="dialog"
      onClick={() => {
        onOpen(event);
      }}
    >
      <span className="calwire-event-bar" aria-hidden="true" />
      <span className="calwire-event-times">{times}</span>
      <span className="calwire-event-text">
        <span className="calwire-event-title">
          {isPrivate(event) && <LockIcon />}
          <Foreign>{titleOf(event, labels)}</Foreign>
        </span>
        {place && (
          <span className="calwire-event-place">
            <Foreign>{place}</Foreign>
          </span>
        )}
        {isDeclined(event) && <span className="calwire-hidden">{labels.declined}</span>}
        {isPrivate(event) && <span className="calwire-hidden">{labels.private}</span>}
      </span>
      {running && (
        <span className="calwire-badge calwire-now">
          <span className="calwire-dot" aria-hidden="true" />
          {labels.now}
          <span>· {endText(event, moment, words)}</span>
        </span>
      )}
    </button>
  );
}
