import { type ReactElement, useId } from 'react';

import type { CalendarEvent } from '../../index.js';
import type { DayString } from '../format/index.js';
import { Dialog } from './dialog.js';
import { EventList, type EventListContext } from './event-list.js';
import { groupByDay } from './group-by-day.js';

interface DayProps {
  day: DayString;
  events: readonly CalendarEvent[];
  context: EventListContext;
}

/** The selected day of a narrow month. */
export function DayBelow({ day, events, context }: DayProps): ReactElement {
  const id = useId();
  return (
    <section className="calwire-day-below" aria-labelledby={id} aria-live="polite">
      <DayContent id={id} day={day} events={events} context={context} />
    </section>
  );
}

export function DayDialog({ onClose, ...props }: DayProps & { onClose: () => void }): ReactElement {
  const id = useId();
  return (
    <Dialog labelledBy={id} closeLabel={props.context.words.labels.close} onClose={onClose}>
      <DayContent id={id} {...props} />
    </Dialog>
  );
}

function DayContent({ id, day, events, context }: DayProps & { id: string }): ReactElement {
  const { formats, labels } = context.words;
  const there = groupByDay(events, formats, day, day)[0]?.events ?? [];
  return (
    <>
      <h2 id={id} className="calwire-day-title">
        {formats.day(day, context.moment.today)}
      </h2>
      {there.length > 0 ? (
        <EventList day={day} events={there} context={context} />
      ) : (
        <p className="calwire-quiet">{labels.nothingThatDay}</p>
      )}
    </>
  );
}
