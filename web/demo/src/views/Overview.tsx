import { AgendaWidget, CalendarPicker, NextEventWidget, SyncStatus, useUpcomingEvents } from '@calwire/client/react';

import { here } from '../address';
import { Accounts } from '../parts/Accounts';
import { GoogleLink } from '../parts/GoogleLink';
import type { Session } from '../session';
import type { ViewProps } from '../Signed';

export function Overview({ session }: ViewProps) {
  const { connected, isLoading } = useUpcomingEvents({ days: 7 });
  if (!isLoading && !connected) return <NotConnected session={session} />;
  return (
    <>
      <h1 className="visually-hidden">Overview</h1>
      <div className="columns">
        <div className="column">
          <NextEventWidget days={7} returnTo={here()} />
          <Invitation session={session} />
          <AgendaWidget days={7} maxResults={50} />
        </div>
        <div className="column side">
          <SyncStatus />
          <CalendarPicker />
          <Accounts />
        </div>
      </div>
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

function NotConnected({ session }: { session: Session }) {
  const google = session.emulatorUrl === null ? 'Google' : 'the emulated Google';
  return (
    <div className="start">
      <div>
        <h1>Bring your calendar here</h1>
        <ol className="steps">
          <li>
            <strong>Connect.</strong> {google.slice(0, 1).toUpperCase() + google.slice(1)} asks which account it is.
          </li>
          <li>
            <strong>Leave the calendar ticked.</strong> Without it there is nothing to show.
          </li>
          <li>
            <strong>Come back.</strong> Your events are here in a moment, and stay current by themselves.
          </li>
        </ol>
      </div>
      <NextEventWidget days={7} returnTo={here()} />
    </div>
  );
}
