import { type ReactElement, type ReactNode, useId, useState } from 'react';

import type { Attendee } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { plainLine, safeUrl } from '../format/index.js';
import {
  Foreign,
  type Moment,
  OutLink,
  type Palette,
  useMoment,
  usePalette,
  useWords,
  type WidgetProps,
  type Words,
} from './base.js';
import { Description } from './description.js';
import { Dialog } from './dialog.js';
import { countdownText, endText, fullTitle, isDeclined, timesOf } from './event-text.js';
import { CalendarIcon, ClockIcon, ExternalIcon, PeopleIcon, PinIcon, RepeatIcon, TextIcon } from './icons.js';
import type { Labels } from './labels.js';
import { JoinButton } from './next-event-widget.js';
import { Place } from './place.js';

/** So many guests are listed before the person asks for all. */
const GUESTS_SHOWN = 6;

export interface EventDetailsProps extends Omit<WidgetProps, 'calendarIds'> {
  event: CalendarEvent;
  /** The id of the heading, for a dialog around it. */
  headingId?: string;
}

/** Everything there is to know of one event. */
export function EventDetails({ event, headingId, ...props }: EventDetailsProps): ReactElement {
  const words = useWords(props);
  const moment = useMoment(words.formats);
  const palette = usePalette();
  const own = useId();
  const id = headingId ?? own;
  const className = ['calwire', 'calwire-details', props.className].filter(Boolean).join(' ');
  return (
    <article className={className} style={{ ...palette.styleOf(event), ...props.style }} aria-labelledby={id}>
      <header className="calwire-details-head">
        <span className="calwire-swatch calwire-swatch-large" aria-hidden="true" />
        <h2 id={id} className="calwire-details-title" tabIndex={-1}>
          <Foreign>{fullTitle(event, words.labels)}</Foreign>
        </h2>
      </header>
      <Badges event={event} labels={words.labels} />
      <Facts event={event} moment={moment} palette={palette} words={words} />
      <Actions event={event} labels={words.labels} />
    </article>
  );
}

function Badges({ event, labels }: { event: CalendarEvent; labels: Labels }): ReactElement | null {
  const badges = [
    event.status === 'cancelled' && labels.cancelled,
    event.status === 'tentative' && labels.tentative,
    isDeclined(event) && labels.declined,
  ].filter((badge) => badge !== false);
  if (badges.length === 0) return null;
  return (
    <p className="calwire-badges">
      {badges.map((badge) => (
        <span key={badge} className="calwire-badge">
          {badge}
        </span>
      ))}
    </p>
  );
}

interface FactsProps {
  event: CalendarEvent;
  moment: Moment;
  palette: Palette;
  words: Words;
}

function Facts({ event, moment, palette, words }: FactsProps): ReactElement {
  const { labels } = words;
  const calendar = palette.calendar(event.calendarId);
  return (
    <ul className="calwire-facts calwire-facts-large">
      <Fact icon={<ClockIcon />}>
        <When event={event} moment={moment} words={words} />
      </Fact>
      {event.recurringEventId !== null && <Fact icon={<RepeatIcon />}>{labels.repeats}</Fact>}
      {event.location && (
        <Fact icon={<PinIcon />} label={labels.location}>
          <Place location={event.location} labels={labels} />
        </Fact>
      )}
      {event.attendees.length > 0 && (
        <Fact icon={<PeopleIcon />}>
          <Guests event={event} labels={labels} />
        </Fact>
      )}
      {event.description && (
        <Fact icon={<TextIcon />} label={labels.description}>
          <Description text={event.description} labels={labels} />
        </Fact>
      )}
      {calendar && (
        <Fact icon={<CalendarIcon />} label={labels.calendar}>
          <Foreign>{calendar.summary}</Foreign>
        </Fact>
      )}
    </ul>
  );
}

function Fact({ icon, label, children }: { icon: ReactNode; label?: string; children: ReactNode }): ReactElement {
  return (
    <li>
      {icon}
      <div className="calwire-fact">
        {label && <span className="calwire-hidden">{label}: </span>}
        {children}
      </div>
    </li>
  );
}

function When({ event, moment, words }: Omit<FactsProps, 'palette'>): ReactElement {
  const { formats, labels } = words;
  const there = formats.timesThere(event);
  const countdown = [countdownText(event, moment, words), endText(event, moment, words)].filter(Boolean).join(' · ');
  return (
    <>
      <span>
        {formats.daysOf(event, moment.today)} · {timesOf(event, words)}
      </span>
      {there && <span className="calwire-quiet calwire-line">{labels.timeThere(there.times, there.zone)}</span>}
      {countdown && <span className="calwire-quiet calwire-line">{countdown}</span>}
    </>
  );
}

function Guests({ event, labels }: { event: CalendarEvent; labels: Labels }): ReactElement {
  const [all, setAll] = useState(false);
  const shown = all ? event.attendees : event.attendees.slice(0, GUESTS_SHOWN);
  const hidden = event.attendees.length - shown.length;
  return (
    <>
      <span>{labels.guests(event.attendees.length)}</span>
      <ul className="calwire-guests">
        {shown.map((guest, index) => (
          <Guest key={guest.email ?? index} guest={guest} organizer={event.organizer?.email ?? null} labels={labels} />
        ))}
      </ul>
      {hidden > 0 && (
        <button
          type="button"
          className="calwire-link"
          onClick={() => {
            setAll(true);
          }}
        >
          {labels.moreGuests(hidden)}
        </button>
      )}
    </>
  );
}

interface GuestProps {
  guest: Attendee;
  organizer: string | null;
  labels: Labels;
}

function Guest({ guest, organizer, labels }: GuestProps): ReactElement {
  const name = plainLine(guest.displayName) || plainLine(guest.email) || labels.untitled;
  const response = labels.responses[guest.responseStatus as keyof Labels['responses']] as string | undefined;
  const notes = [
    response ?? labels.responses.needsAction,
    guest.email !== null && guest.email === organizer && labels.organizer,
    guest.optional && labels.optionalGuest,
  ].filter((note) => note !== false);
  return (
    <li data-response={guest.responseStatus}>
      <Foreign>{name}</Foreign> <span className="calwire-quiet">{notes.join(', ')}</span>
    </li>
  );
}

function Actions({ event, labels }: { event: CalendarEvent; labels: Labels }): ReactElement {
  const href = safeUrl(event.htmlLink);
  return (
    <div className="calwire-actions">
      <JoinButton event={event} labels={labels} />
      {href && (
        <OutLink href={href} className="calwire-button" labels={labels}>
          {labels.openInGoogle}
          <ExternalIcon />
        </OutLink>
      )}
    </div>
  );
}

interface EventDialogProps extends EventDetailsProps {
  onClose: () => void;
}

export function EventDialog({ onClose, ...details }: EventDialogProps): ReactElement {
  const id = useId();
  const { labels } = useWords(details);
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={onClose}>
      <EventDetails {...details} headingId={id} />
    </Dialog>
  );
}
