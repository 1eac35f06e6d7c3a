import { lazy, type ReactElement, Suspense, useEffect } from 'react';

import type { CalendarEvent } from '../../index.js';
import type { WidgetProps } from './base.js';
import type { DetailsProps } from './event-details.js';

const load = () => import('./event-details.js');
const WholeEvent = lazy(async () => ({ default: (await load()).WholeEvent }));
const WholeEventDialog = lazy(async () => ({ default: (await load()).EventDialog }));

export interface EventDetailsProps extends Omit<WidgetProps, 'calendarIds'> {
  event: CalendarEvent;
  /** The id of the heading, for a dialog around it. */
  headingId?: string;
  /** With buttons that answer an invitation, edit and delete. */
  editable?: boolean | undefined;
}

/** Everything there is to know of one event. */
export function EventDetails(props: EventDetailsProps): ReactElement {
  return (
    <Suspense fallback={null}>
      <WholeEvent {...props} />
    </Suspense>
  );
}

/** The same in a dialog. */
export function EventDialog(props: DetailsProps & { onClose: () => void }): ReactElement {
  return (
    <Suspense fallback={null}>
      <WholeEventDialog {...props} />
    </Suspense>
  );
}

/** Has the details ready before somebody asks for them: by then the network may be away. */
export function useDetailsAtHand(): void {
  useEffect(() => {
    load().catch(() => {
      // Asked for again when they are wanted.
    });
  }, []);
}
