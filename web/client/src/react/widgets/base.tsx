import { type CSSProperties, type ReactElement, type ReactNode, type Ref, useMemo, useState } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { colourOf, type DayString, eventStyle, type Formats, formatsOf } from '../format/index.js';
import { useCalendars, useNow } from '../hooks/index.js';
import type { AccountLabels } from './account-labels.js';
import { englishLabels, type Labels } from './labels.js';

/** The props of every widget. */
export interface WidgetProps {
  className?: string | undefined;
  style?: CSSProperties | undefined;
  /** A language tag for dates and times. Default: the browser's. */
  locale?: string | undefined;
  /** An IANA zone. Default: the browser's. */
  timeZone?: string | undefined;
  /** Default: the user's selected calendars. */
  calendarIds?: string[] | undefined;
  /** The level of the headings, to fit into your page. Default: 2. */
  headingLevel?: 2 | 3 | 4 | undefined;
  /** Texts in another language. */
  labels?: Partial<Labels & AccountLabels> | undefined;
}

/** The texts and formats of a widget. */
export interface Words {
  formats: Formats;
  labels: Labels;
  Heading: 'h2' | 'h3' | 'h4';
}

type WordProps = Pick<WidgetProps, 'locale' | 'timeZone' | 'labels' | 'headingLevel'>;

export function useWords({ locale, timeZone, labels, headingLevel = 2 }: WordProps): Words {
  return useMemo(
    () => ({
      formats: formatsOf(locale, timeZone),
      labels: { ...englishLabels, ...labels },
      Heading: `h${headingLevel}` as const,
    }),
    [locale, timeZone, labels, headingLevel],
  );
}

export interface Moment {
  now: Date;
  today: DayString;
}

/** The current minute, and the viewer's day. */
export function useMoment(formats: Formats): Moment {
  const now = useNow(60_000);
  return useMemo(() => ({ now, today: formats.dayOf(now) }), [now, formats]);
}

export interface Palette {
  calendar: (id: string) => CalendarInfo | undefined;
  /** The CSS variables with an event's colours. */
  styleOf: (event: { calendarId: string; colorId: string | null }) => CSSProperties;
}

/** The colours and names of the user's calendars. */
export function usePalette(): Palette {
  const { calendars } = useCalendars();
  return useMemo(() => {
    const byId = new Map(calendars.map((calendar) => [calendar.id, calendar]));
    return {
      calendar: (id) => byId.get(id),
      styleOf: (event) => eventStyle(colourOf(event, byId.get(event.calendarId))),
    };
  }, [calendars]);
}

interface FrameProps extends Pick<WidgetProps, 'className' | 'style'> {
  name: string;
  label: string;
  busy?: boolean;
  /** Not `ref`, which React 18 does not pass to components. */
  frameRef?: Ref<HTMLElement>;
  children: ReactNode;
}

/** The outermost element of a widget. */
export function Frame({ name, label, className, style, busy, frameRef, children }: FrameProps): ReactElement {
  const classes = ['calwire', `calwire-${name}`, className].filter(Boolean).join(' ');
  return (
    <section
      ref={frameRef}
      className={classes}
      style={style}
      aria-label={label}
      aria-busy={busy === true ? true : undefined}
    >
      {children}
    </section>
  );
}

interface AnnouncerProps {
  /** Identifies the announced state. Null: nothing yet. */
  state: string | null;
  text: string;
}

/** Announces changes to screen readers: the text of each new state, except the first. */
export function Announcer({ state, text }: AnnouncerProps): ReactElement {
  const [announced, setAnnounced] = useState({ state, text: '' });
  if (announced.state !== state) setAnnounced({ state, text: announced.state === null || state === null ? '' : text });
  return (
    <p className="calwire-hidden" role="status">
      {/* The key makes screen readers announce a text again that equals the last one. */}
      <span key={announced.state}>{announced.text}</span>
    </p>
  );
}

/** Text from outside, which may have another writing direction. */
export function Foreign({ children }: { children: string }): ReactElement {
  return <bdi>{children}</bdi>;
}

interface LinkProps {
  href: string;
  className?: string;
  labels: Labels;
  children: ReactNode;
}

/** A link to another site. The caller has checked it with `safeUrl`. */
export function OutLink({ href, className, labels, children }: LinkProps): ReactElement {
  return (
    <a href={href} className={className} target="_blank" rel="noopener noreferrer">
      {children}
      <span className="calwire-hidden"> ({labels.newTab})</span>
    </a>
  );
}
