import { useUpcomingEvents } from '@calwire/client/react';
import { AgendaWidget, CalendarPicker, NextEventWidget, SyncStatus } from '@calwire/client/react/widgets';

import { here } from '../address';
import { GoogleLink } from '../parts/GoogleLink';
import { Icon } from '../parts/Icon';
import { PageLink } from '../parts/PageLink';
import type { Session } from '../session';
import type { ViewProps } from './view-props';

export function Overview({ session, user }: ViewProps) {
  const { connected, hasCalendarAccess, isLoading, error, live } = useUpcomingEvents({ days: 7 });
  // It is unknown whether an account is connected. The widget shows the reason.
  if (!isLoading && !connected && (error !== null || live === 'signedOut')) return <Nothing />;
  if (!isLoading && !hasCalendarAccess) return <Start session={session} user={user} connected={connected} />;
  return (
    <>
      <h1 className="visually-hidden">Overview</h1>
      <div className="columns">
        <div className="column">
          <NextEventWidget days={7} returnTo={here()} />
          <Invitation session={session} />
          <AgendaWidget days={7} maxResults={50} editable />
        </div>
        <div className="column side">
          <SyncStatus />
          <CalendarPicker />
          <Manage user={user} />
        </div>
      </div>
    </>
  );
}

/** Links to the page that connects and disconnects accounts. */
function Manage({ user }: { user: string }) {
  return (
    <PageLink to={{ user, view: 'accounts' }} className="button manage">
      <Icon name="accounts" />
      Manage accounts & calendars
    </PageLink>
  );
}

function Nothing() {
  return (
    <>
      <h1 className="visually-hidden">Overview</h1>
      <NextEventWidget days={7} returnTo={here()} />
    </>
  );
}

function Invitation({ session }: { session: Session }) {
  return (
    <section className="invitation" aria-label="Try it">
      <div>
        <h2>Make something happen</h2>
        <p>Put the windows side by side, move an event there, and watch it move here.</p>
      </div>
      <GoogleLink session={session} primary />
    </section>
  );
}

/** Shown until a calendar can be shown. */
function Start({ session, user, connected }: Omit<ViewProps, 'messages'> & { connected: boolean }) {
  const google = session.emulatorUrl === null ? 'Google' : 'The emulated Google';
  return (
    <div className="start">
      <div>
        <h1>{connected ? 'One tick is missing' : 'Bring your calendar here'}</h1>
        <ol className="steps">
          <li>
            <strong>{connected ? 'Connect once more.' : 'Connect.'}</strong> {google} asks which account it is.
          </li>
          <li>
            <strong>Leave the calendar ticked.</strong> Without it there is nothing to show.
          </li>
          <li>
            <strong>Come back.</strong> Your events are here in a moment, and stay current by themselves.
          </li>
        </ol>
      </div>
      <div className="column">
        <NextEventWidget days={7} returnTo={here()} />
        {connected && <Manage user={user} />}
      </div>
    </div>
  );
}
