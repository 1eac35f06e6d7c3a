import { AccountManager, SyncStatus } from '@calwire/client/react/widgets';

import { here } from '../address';
import { GoogleLink } from '../parts/GoogleLink';
import type { ViewProps } from './view-props';

export function AccountsPage({ session }: ViewProps) {
  return (
    <>
      <div className="heading">
        <h1>Accounts & calendars</h1>
        <GoogleLink session={session} />
      </div>
      <div className="columns">
        <AccountManager returnTo={here()} />
        <div className="column side">
          <SyncStatus returnTo={here()} defaultOpen />
        </div>
      </div>
    </>
  );
}
