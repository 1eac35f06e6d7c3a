import { lazy, type ReactElement, Suspense } from 'react';

import { Frame, useWords, type WidgetProps } from './base.js';

// Few pages have it, and those that do show it on a page of its own.
const AccountManagerContent = lazy(() => import('./account-manager-content.js'));

export interface AccountManagerProps extends Omit<WidgetProps, 'calendarIds'> {
  /** The path to come back to from Google's consent page. */
  returnTo?: string | undefined;
}

/** The Google accounts with their calendars: connect, bring back, choose, disconnect; and the person's own data. */
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
