import { lazy, type ReactElement, Suspense } from 'react';

import type { AccountManagerProps } from './account-manager-content.js';
import { Frame, useWords } from './base.js';

export type { AccountManagerProps } from './account-manager-content.js';

// Loaded lazily: few pages show it.
const AccountManagerContent = lazy(() => import('./account-manager-content.js'));

/** Manages the Google accounts, their calendars and the user's stored data. */
export function AccountManager(props: AccountManagerProps): ReactElement {
  const { labels } = useWords(props);
  const waiting = (
    <Frame name="manager" label={labels.manageAccounts} busy className={props.className} style={props.style}>
      <p className="calwire-view-wait">{labels.loading}</p>
    </Frame>
  );
  return (
    <Suspense fallback={waiting}>
      <AccountManagerContent {...props} />
    </Suspense>
  );
}
