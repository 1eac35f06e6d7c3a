import { lazy, type ReactElement, Suspense } from 'react';

import { Frame, useWords } from './base.js';
import type { CalendarViewProps, ViewKind, WeekViewProps } from './calendar-view.js';

export type { CalendarViewProps, WeekViewProps } from './calendar-view.js';

/** Loaded with the first week or month that is shown, as FullCalendar is. */
const CalendarView = lazy(() => import('./calendar-view.js'));

/** A week with its days as columns; three days at a time in a narrow container. */
export function WeekView(props: WeekViewProps): ReactElement {
  return <View kind="week" {...props} />;
}

/** A month; in a narrow container with a dot for each event, and the selected day below. */
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
