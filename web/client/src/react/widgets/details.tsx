import { lazy, type ReactElement, Suspense, useEffect } from 'react';

import type { DetailsProps, EventDetailsProps } from './event-details.js';

export type { EventDetailsProps } from './event-details.js';

const load = () => import('./event-details.js');
const WholeEvent = lazy(async () => ({ default: (await load()).WholeEvent }));
const WholeEventDialog = lazy(async () => ({ default: (await load()).EventDialog }));

/** All details of one event. */
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

/** Loads the details in advance: the network may be gone when the user opens them. */
export function usePreloadedDetails(): void {
  useEffect(() => {
    load().catch(() => {
      // Loaded again when the details are opened.
    });
  }, []);
}
