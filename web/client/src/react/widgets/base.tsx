import { type CSSProperties, type ReactElement, type ReactNode, type Ref, useMemo, useState } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { colourOf, type DayString, eventStyle, type Formats, formatsOf } from '../format/index.js';
import { useCalendars, useNow } from '../hooks/index.js';
import type { AccountLabels } from './account-labels.js';
import { englishLabels, type Labels } from './labels.js';

/** What every widget takes. */
export interface WidgetProps {
  className?: string | undefined;
  style?: CSSProperties | undefined;
  /** A language tag for dates and times. Default: the browser's. */
  locale?: string | undefined;
  /** An IANA zone. Default: the browser's. */
  timeZone?: string | undefined;
  /** Default: the calendars that the person selected. */
  calendarIds?: string[] | undefined;
  /** The level of the headings, as it fits into your page. Default: 2. */
  headingLevel?: 2 | 3 | 4 | undefined;
  /** Texts in another language. */
  labels?: Partial<Labels & AccountLabels> | undefined;
}

/** What the parts of a widget write with. */
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

/** The present minute, and the viewer's day. */
export function useMoment(formats: Formats): Moment {
  const now = useNow(60_000);
  return useMemo(() => ({ now, today: formats.dayOf(now) }), [now, formats]);
}

export interface Palette {
  calendar: (id: string) => CalendarInfo | undefined;
  /** CSS variables that paint an event. */
  styleOf: (event: { calendarId: string; colorId: string | null }) => CSSProperties;
}

/** The colours and names of the person's calendars. */
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
  /** Not `ref`, which React 18 keeps from components. */
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
  /** What the text tells of. Null: nothing yet. */
  state: string | null;
  text: string;
}

/** Tells a screen reader what changed by itself: the text of each new state, but not of the first. */
export function Announcer({ state, text }: AnnouncerProps): ReactElement {
  const [heard, setHeard] = useState({ state, text: '' });
  if (heard.state !== state) setHeard({ state, text: heard.state === null || state === null ? '' : text });
  return (
    <p className="calwire-hidden" role="status">
      {/* The key makes a text be told again that is the same as the last. */}
      <span key={heard.state}>{heard.text}</span>
    </p>
  );
}

/** Text that somebody else wrote, which may run in another direction. */
export function Foreign({ children }: { children: string }): ReactElement {
  return <bdi>{children}</bdi>;
}

interface LinkProps {
  href: string;
  className?: string;
  labels: Labels;
  children: ReactNode;
}

/** A link out of the page. The address has been through `safeUrl`. */
export function OutLink({ href, className, labels, children }: LinkProps): ReactElement {
  return (
    <a href={href} className={className} target="_blank" rel="noopener noreferrer">
      {children}
      <span className="calwire-hidden"> ({labels.newTab})</span>
    </a>
  );
}
