import type { ReactElement } from 'react';

import type { EventType } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { meetingOf, safeUrl } from '../format/index.js';
import { useUpcomingEvents } from '../hooks/index.js';
import {
  Announcer,
  Foreign,
  Frame,
  type Moment,
  OutLink,
  type Palette,
  useMoment,
  usePalette,
  useWords,
  type WidgetProps,
  type Words,
} from './base.js';
import { useEventTypes } from './birthdays.js';
import { Description } from './description.js';
import { countdownText, endText, nameOf, timesOf, titleOf } from './event-text.js';
import { FreshnessLine } from './freshness-line.js';
import { ClockIcon, ExternalIcon, PinIcon, VideoIcon } from './icons.js';
import { Notice, Obstacle, obstacleOf, ReconnectNotice } from './notices.js';
import { pickNext } from './pick-next.js';
import { Place } from './place.js';

export interface NextEventWidgetProps extends WidgetProps {
  /** How many local days ahead to consider; 0 is today. */
  days?: number | undefined;
  /** The types of events to consider. Default: all but working locations, and birthdays if the user hides them. */
  eventTypes?: EventType[] | undefined;
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
}

/** Enough to find the next event and to count the others of today. */
const MAX_RESULTS = 250;
/** A working location is no appointment. */
const TYPES: EventType[] = ['default', 'birthday', 'focusTime', 'fromGmail', 'outOfOffice'];

/** The next event with its time, place, countdown and a button to join. */
export function NextEventWidget(allProps: NextEventWidgetProps): ReactElement {
  const { days = 7, returnTo, calendarIds, ...props } = allProps;
  const words = useWords(props);
  const { formats, labels } = words;
  const moment = useMoment(formats);
  const palette = usePalette();
  const result = useUpcomingEvents({
    days,
    maxResults: MAX_RESULTS,
    timeZone: formats.timeZone,
    eventTypes: useEventTypes(allProps.eventTypes, TYPES),
    ...(calendarIds && { calendarIds }),
  });
  const obstacle = obstacleOf(result);
  const next = obstacle || result.isLoading ? null : pickNext(result.events, moment, words);

  return (
    <Frame name="next" label={labels.nextEvent} busy={result.isLoading} className={props.className} style={props.style}>
      {!obstacle && <ReconnectNotice labels={labels} returnTo={returnTo} />}
      <div className="calwire-next-body">
        {obstacle ? (
          <Obstacle result={result} labels={labels} returnTo={returnTo} />
        ) : result.isLoading ? (
          <NextSkeleton label={labels.loading} />
        ) : next ? (
          <NextEvent event={next.event} moreToday={next.moreToday} moment={moment} palette={palette} words={words} />
        ) : (
          <Notice title={labels.nothingTitle} text={labels.nothingAhead(days)} />
        )}
      </div>
      {obstacle !== 'signedOut' && (
        <FreshnessLine result={result} hasContent={!obstacle && !result.isLoading} moment={moment} words={words} />
      )}
      <NextAnnouncer event={next?.event} loading={result.isLoading} moment={moment} words={words} />
    </Frame>
  );
}

interface NextAnnouncerProps {
  event: CalendarEvent | undefined;
  loading: boolean;
  moment: Moment;
  words: Words;
}

/** Announces a changed next event. The countdown is not announced. */
function NextAnnouncer({ event, loading, moment, words }: NextAnnouncerProps): ReactElement {
  const name = event ? nameOf(event, moment.today, words) : words.labels.nothingTitle;
  // Without the day's name: "tomorrow" becomes "today" at midnight, which is not a change.
  const state = event ? [event.id, event.start, event.end, event.title, event.location].join(' ') : '';
  return <Announcer state={loading ? null : state} text={event ? words.labels.nextIs(name) : name} />;
}

interface NextEventProps {
  event: CalendarEvent;
  moreToday: number;
  moment: Moment;
  palette: Palette;
  words: Words;
}

function NextEvent({ event, moreToday, moment, palette, words }: NextEventProps): ReactElement {
  const { formats, labels, Heading } = words;
  const there = formats.timesThere(event);
  const href = safeUrl(event.htmlLink);
  const calendar = palette.calendar(event.calendarId);
  return (
    <article className="calwire-next-event" style={palette.styleOf(event)}>
      <header className="calwire-next-head">
        <p className="calwire-next-day">{formats.daysOf(event, moment.today)}</p>
        <Countdown event={event} moment={moment} words={words} />
      </header>
      <Heading className="calwire-next-title">
        <Foreign>{titleOf(event, labels)}</Foreign>
      </Heading>
      <ul className="calwire-facts">
        <li>
          <ClockIcon />
          <span>
            {timesOf(event, words)}
            {there && <span className="calwire-quiet"> ({labels.timeThere(there.times, there.zone)})</span>}
          </span>
        </li>
        {event.location && (
          <li>
            <PinIcon />
            <span className="calwire-clamp-2">
              <span className="calwire-hidden">{labels.location}: </span>
              <Place location={event.location} labels={labels} />
            </span>
          </li>
        )}
        {calendar && (
          <li>
            <span className="calwire-swatch" aria-hidden="true" />
            <span className="calwire-clamp-1">
              <span className="calwire-hidden">{labels.calendar}: </span>
              <Foreign>{calendar.summary}</Foreign>
            </span>
          </li>
        )}
      </ul>
      <Description key={event.id} text={event.description} labels={labels} clamped />
      <div className="calwire-actions">
        <JoinButton event={event} labels={labels} />
        {href && (
          <OutLink href={href} className="calwire-button" labels={labels}>
            {labels.openInGoogle}
            <ExternalIcon />
          </OutLink>
        )}
        {moreToday > 0 && <p className="calwire-quiet calwire-more-today">{labels.moreToday(moreToday)}</p>}
      </div>
    </article>
  );
}

interface CountdownProps {
  event: CalendarEvent;
  moment: Moment;
  words: Words;
}

function Countdown({ event, moment, words }: CountdownProps): ReactElement | null {
  const text = countdownText(event, moment, words);
  if (!text) return null;
  const end = endText(event, moment, words);
  return (
    <p className="calwire-countdown" data-running={end !== null || text === words.labels.now}>
      <strong>{text}</strong>
      {end && <span> · {end}</span>}
    </p>
  );
}

export function JoinButton({ event, labels }: { event: CalendarEvent; labels: Words['labels'] }): ReactElement | null {
  const meeting = meetingOf(event);
  if (!meeting) return null;
  return (
    <OutLink href={meeting.url} className="calwire-button calwire-primary" labels={labels}>
      <VideoIcon />
      {meeting.provider ? labels.joinWith(meeting.provider) : labels.join}
    </OutLink>
  );
}

/** As high as an event. */
function NextSkeleton({ label }: { label: string }): ReactElement {
  return (
    <div className="calwire-next-event calwire-skeleton">
      <p className="calwire-hidden">{label}</p>
      <span className="calwire-skeleton-line" style={{ inlineSize: '30%' }} />
      <span className="calwire-skeleton-line calwire-skeleton-title" style={{ inlineSize: '75%' }} />
      <span className="calwire-skeleton-line" style={{ inlineSize: '45%' }} />
      <span className="calwire-skeleton-line" style={{ inlineSize: '60%' }} />
      <span className="calwire-skeleton-line calwire-skeleton-button" />
    </div>
  );
}
