import { type ReactElement, useId, useMemo, useState } from 'react';

import type { EventType } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { addDays } from '../format/index.js';
import { useUpcomingEvents } from '../hooks/index.js';
import { Announcer, Frame, useMoment, usePalette, useWords, type WidgetProps } from './base.js';
import { useEventTypes } from './birthdays.js';
import { useEditing } from './editing.js';
import { EventDialog, usePreloadedDetails } from './details.js';
import { EventList, type EventListContext } from './event-list.js';
import { NewEventButton } from './new-event-button.js';
import { FreshnessLine } from './freshness-line.js';
import { type Day, groupByDay, latestOf, upcoming } from './group-by-day.js';
import { Notice, Obstacle, obstacleOf, ReconnectNotice } from './notices.js';

export interface AgendaWidgetProps extends WidgetProps {
  /** How many local days ahead; 0 is today. */
  days?: number | undefined;
  maxResults?: number | undefined;
  /** Google's types of events. Default: all, without birthdays if the user hides them. */
  eventTypes?: EventType[] | undefined;
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
  /** Called instead of opening the details. */
  onEventClick?: ((event: CalendarEvent) => void) | undefined;
  /** Events can be created, edited, deleted and responded to. */
  editable?: boolean | undefined;
}

/** The coming days with their events. */
export function AgendaWidget(props: AgendaWidgetProps): ReactElement {
  const { days = 7, maxResults = 50, calendarIds, returnTo, onEventClick, editable = false } = props;
  const words = useWords(props);
  const { formats, labels } = words;
  const moment = useMoment(formats);
  const palette = usePalette();
  const [open, setOpen] = useState<CalendarEvent | null>(null);
  usePreloadedDetails();
  const { editing, layer } = useEditing(editable, words);
  const result = useUpcomingEvents({
    days,
    maxResults,
    timeZone: formats.timeZone,
    eventTypes: useEventTypes(props.eventTypes),
    ...(calendarIds && { calendarIds }),
  });
  const { events, isLoading } = result;
  const obstacle = obstacleOf(result);
  const groups = useMemo(
    () => groupByDay(upcoming(events, moment), formats, moment.today, addDays(moment.today, days)),
    [events, moment, formats, days],
  );
  const versions = useMemo(() => events.map(({ id, etag }) => `${id} ${etag}`).join(), [events]);
  const context = { moment, palette, words, onOpen: onEventClick ?? setOpen };

  return (
    <Frame name="agenda" label={labels.agenda} busy={isLoading} className={props.className} style={props.style}>
      {!obstacle && editing && <NewEventButton editing={editing} day={null} words={words} />}
      {!obstacle && <ReconnectNotice labels={labels} returnTo={returnTo} />}
      {obstacle ? (
        <Obstacle result={result} labels={labels} returnTo={returnTo} />
      ) : isLoading ? (
        <AgendaSkeleton label={labels.loading} />
      ) : groups.length === 0 ? (
        <Notice title={labels.nothingTitle} text={labels.nothingAhead(days)} />
      ) : (
        <Days days={groups} context={context} />
      )}
      {obstacle !== 'signedOut' && (
        <FreshnessLine result={result} hasContent={!obstacle && !isLoading} moment={moment} words={words} />
      )}
      <Announcer state={isLoading ? null : versions} text={labels.agendaChanged(events.length)} />
      {open && (
        <EventDialog
          event={latestOf(open, events)}
          editing={editing}
          onClose={() => {
            setOpen(null);
          }}
          locale={props.locale}
          timeZone={props.timeZone}
          labels={props.labels}
        />
      )}
      {layer}
    </Frame>
  );
}

function Days({ days, context }: { days: readonly Day[]; context: EventListContext }): ReactElement {
  return (
    <div className="calwire-days">
      {days.map((day) => (
        <AgendaDay key={day.day} day={day} context={context} />
      ))}
    </div>
  );
}

function AgendaDay({ day: { day, events }, context }: { day: Day; context: EventListContext }): ReactElement {
  const id = useId();
  const { formats, Heading } = context.words;
  const { today } = context.moment;
  const name = formats.day(day, today);
  const date = formats.shortDay(day);
  return (
    <section className="calwire-day" aria-labelledby={id} data-today={day === today}>
      <Heading id={id} className="calwire-day-heading">
        <span>{name}</span> {isNear(day, today) && <span className="calwire-quiet">{date}</span>}
      </Heading>
      <EventList day={day} events={events} context={context} />
    </section>
  );
}

/** Near days are called by name, such as “Today”, with their date beside it. */
function isNear(day: string, today: string): boolean {
  return day >= addDays(today, -1) && day <= addDays(today, 1);
}

function AgendaSkeleton({ label }: { label: string }): ReactElement {
  return (
    <div className="calwire-days calwire-skeleton">
      <p className="calwire-hidden">{label}</p>
      {[2, 3].map((rows) => (
        <div key={rows} className="calwire-day">
          <div className="calwire-day-heading">
            <span className="calwire-skeleton-line" style={{ inlineSize: '6rem' }} />
          </div>
          {Array.from({ length: rows }, (_, row) => (
            <div key={row} className="calwire-event">
              <span className="calwire-skeleton-line" style={{ inlineSize: `${70 - row * 12}%` }} />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}
