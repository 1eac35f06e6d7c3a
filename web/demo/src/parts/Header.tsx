import { useCalwire, type LiveState } from '@calwire/client/react';

import type { View } from '../address';
import type { Session } from '../session';
import { Brand } from './Brand';
import { Icon } from './Icon';
import { PageLink } from './PageLink';
import { ThemeButton } from './ThemeButton';
import { UserMenu } from './UserMenu';

const TABS: { view: View; name: string }[] = [
  { view: 'overview', name: 'Overview' },
  { view: 'week', name: 'Week' },
  { view: 'month', name: 'Month' },
  { view: 'accounts', name: 'Accounts' },
  { view: 'inspector', name: 'Inspector' },
];

export function Header({ session, user, view }: { session: Session; user: string; view: View }) {
  return (
    <header className="bar">
      <PageLink to={{ user, view: 'overview' }} className="brand-link">
        <Brand />
      </PageLink>
      <nav className="tabs" aria-label="Views">
        {TABS.map((tab) => (
          <PageLink key={tab.view} to={{ user, view: tab.view }} current={tab.view === view}>
            <Icon name={tab.view} />
            {tab.name}
          </PageLink>
        ))}
      </nav>
      <div className="bar-end">
        <LivePill />
        <ThemeButton />
        <UserMenu users={session.users} user={user} view={view} />
      </div>
    </header>
  );
}

const LIVE: Record<LiveState, string> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  signedOut: 'Signed out',
  failed: 'Not connected',
};

function LivePill() {
  const calwire = useCalwire();
  return (
    <>
      <span className="live" data-live={calwire.live} role="status">
        <span className="visually-hidden">Connection: </span>
        {LIVE[calwire.live]}
      </span>
      {calwire.live === 'failed' && (
        <button type="button" className="button small" onClick={() => calwire.retry()}>
          Try again
        </button>
      )}
    </>
  );
}
