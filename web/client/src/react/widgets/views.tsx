import { lazy, type ReactElement, Suspense } from 'react';

import type { CalendarEvent } from '../../index.js';
import { Frame, useWords, type WidgetProps } from './base.js';

/** Comes with the first week or month that is shown, as FullCalendar does. */
const CalendarView = lazy(() => import('./calendar-view.js'));

export type ViewKind = 'week' | 'month';

export interface CalendarViewProps extends WidgetProps {
  /** A day to show, as `2026-11-24`. With `onDateChange` it is up to you; alone it is where the view begins. */
  date?: string | undefined;
  onDateChange?: ((date: string) => void) | undefined;
  /** Instead of opening the details. */
  onEventClick?: ((event: CalendarEvent) => void) | undefined;
  /** The path to come back to from Google's consent page. */
  returnTo?: string | undefined;
  /** Events can be made, moved and edited here. Default: they are only shown. */
  editable?: boolean | undefined;
}

export interface WeekViewProps extends CalendarViewProps {
  /** The calendars that are shown by their busy times only. Default: what the person chose in this browser. */
  busyCalendarIds?: string[] | undefined;
  /** The person chose others. */
  onBusyCalendarIdsChange?: ((ids: string[]) => void) | undefined;
}

/** The days of a week in columns, with the hours; three days at a time where there is little room. */
export function WeekView(props: WeekViewProps): ReactElement {
  return <View kind="week" {...props} />;
}

/** The weeks of a month; where there is little room, with a dot for each event and the chosen day below. */
export function MonthView(props: CalendarViewProps): ReactElement {
  return <View kind="month" {...props} />;
}

function View(props: WeekViewProps & { kind: ViewKind }): ReactElement {
  const { labels } = useWords(props);
  const waiting = (
    <Frame name="view" label={labels[props.kind]} busy className={props.className} style={props.style}>
      <p className="calwire-view-wait">{labels.loading}</p>
    </Frame>
  );
  return (
    <Suspense fallback={waiting}>
      <CalendarView {...props} />
    </Suspense>
  );
}
