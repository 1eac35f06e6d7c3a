import { type ReactElement, type ReactNode, useId, useState } from 'react';

import type { Attendee } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { entryOf, plainLine, safeUrl } from '../format/index.js';
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
import { canDelete, canEdit, type Editing, useEditing } from './editing.js';
import { countdownText, endText, fullTitle, isDeclined, isPrivate, timesOf } from './event-text.js';
import { BinIcon, PenIcon, PeopleIcon, RepeatIcon, TextIcon } from './event-details-icons.js';
import { CalendarIcon, ClockIcon, ExternalIcon, PinIcon } from './icons.js';
import type { Labels } from './labels.js';
import { JoinButton } from './next-event-widget.js';
import { Place } from './place.js';
import { Respond } from './respond.js';

export interface EventDetailsProps extends Omit<WidgetProps, 'calendarIds'> {
  event: CalendarEvent;
  /** The id of the heading, for a dialog around it. */
  headingId?: string;
  /** Shows buttons to respond, edit and delete. */
  editable?: boolean | undefined;
}

/** The number of guests listed until the user asks for all. */
const GUESTS_SHOWN = 6;

/** All details of one event. */
export function WholeEvent({ editable = false, ...props }: EventDetailsProps): ReactElement {
  const { editing, layer } = useEditing(editable, useWords(props));
  return (
    <>
      <Details {...props} editing={editing} />
      {layer}
    </>
  );
}

export type DetailsProps = Omit<EventDetailsProps, 'editable'> & { editing: Editing | null };

function Details({ event, headingId, editing, ...props }: DetailsProps): ReactElement {
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
      <Badges event={event} state={editing?.stateOf(event) ?? null} labels={words.labels} />
      <Facts event={event} moment={moment} palette={palette} words={words} />
      {editing && <Respond event={event} editing={editing} labels={words.labels} />}
      <Actions event={event} editing={editing} labels={words.labels} />
    </article>
  );
}

interface BadgesProps {
  event: CalendarEvent;
  state: ReturnType<Editing['stateOf']>;
  labels: Labels;
}

function Badges({ event, state, labels }: BadgesProps): ReactElement | null {
  const badges = [
    event.status === 'cancelled' && labels.cancelled,
    event.status === 'tentative' && labels.tentative,
    isDeclined(event) && labels.declined,
    isPrivate(event) && labels.private,
    state === 'pending' && labels.isPending,
    state === 'sending' && labels.isSending,
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
  const people = event.attendees.filter(({ resource }) => resource !== true).length;
  return (
    <>
      <span>{people > 0 ? labels.guests(people) : labels.rooms}</span>
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
  const response = entryOf<string>(labels.responses, guest.responseStatus);
  const notes = [
    response ?? labels.responses.needsAction,
    guest.email !== null && guest.email === organizer && labels.organizer,
    guest.optional && labels.optionalGuest,
    guest.resource === true && labels.room,
  ].filter((note) => note !== false);
  return (
    <li data-response={guest.responseStatus}>
      <Foreign>{name}</Foreign> <span className="calwire-quiet">{notes.join(', ')}</span>
    </li>
  );
}

interface ActionsProps {
  event: CalendarEvent;
  editing: Editing | null;
  labels: Labels;
}

function Actions({ event, editing, labels }: ActionsProps): ReactElement {
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
      {editing && canEdit(event) && (
        <>
          <button
            type="button"
            className="calwire-button"
            onClick={() => {
              editing.edit(event);
            }}
          >
            <PenIcon />
            {labels.edit}
          </button>
          {canDelete(event) && (
            <button
              type="button"
              className="calwire-button"
              onClick={() => {
                editing.remove(event);
              }}
            >
              <BinIcon />
              {labels.delete}
            </button>
          )}
        </>
      )}
    </div>
  );
}

export function EventDialog({ onClose, editing, ...details }: DetailsProps & { onClose: () => void }): ReactElement {
  const id = useId();
  const { labels } = useWords(details);
  /** Closes the details when an edit starts. */
  const leaving = editing && {
    ...editing,
    edit: (event: CalendarEvent) => {
      onClose();
      editing.edit(event);
    },
    remove: (event: CalendarEvent) => {
      onClose();
      editing.remove(event);
    },
  };
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={onClose}>
      <Details {...details} editing={leaving} headingId={id} />
    </Dialog>
  );
}
