import type { ConnectionInfo, ConnectionState } from '@calwire/client';
import { useConnect, useSyncStatus } from '@calwire/client/react';
import { useEffect, useId, useRef, useState } from 'react';

import { here } from '../address';

const STATES: Record<ConnectionState, string> = {
  healthy: 'Connected',
  importing: 'Reading the calendars for the first time…',
  delayed: 'Behind; it is being tried again',
  reauth_required: 'Google ended the access. What was read before stays here; connect again to go on.',
  scope_missing: 'Connected without the calendar. Connect again and leave its box ticked.',
  disconnected: 'Disconnected',
};

/** The Google accounts of the user. */
export function Accounts() {
  const { connections } = useSyncStatus();
  const google = useConnect();
  const [leaving, setLeaving] = useState<ConnectionInfo | null>(null);
  const again = () => void google.connect({ returnTo: here() });
  const title = useId();

  return (
    <section className="card accounts" aria-labelledby={title}>
      <h2 id={title}>Google accounts</h2>
      <ul>
        {connections.map((connection) => (
          <li key={connection.id}>
            <Account connection={connection} onConnect={again} onDisconnect={() => setLeaving(connection)} />
          </li>
        ))}
      </ul>
      {google.error && (
        <p className="notice" role="alert">
          {google.error.message}
        </p>
      )}
      <button type="button" className="button" disabled={google.isPending} onClick={again}>
        Connect another account
      </button>
      {leaving && <DisconnectDialog connection={leaving} onClose={() => setLeaving(null)} />}
    </section>
  );
}

interface AccountProps {
  connection: ConnectionInfo;
  onConnect: () => void;
  onDisconnect: () => void;
}

function Account({ connection: { email, state }, onConnect, onDisconnect }: AccountProps) {
  const broken = state === 'reauth_required' || state === 'scope_missing';
  return (
    <div className="account" data-state={state}>
      <p>
        <span className="account-email">{email}</span>
        <span className="account-state">{STATES[state]}</span>
      </p>
      {broken && (
        <button type="button" className="button primary small" onClick={onConnect}>
          Connect again
        </button>
      )}
      <button type="button" className="button quiet small" aria-label={`Disconnect ${email}`} onClick={onDisconnect}>
        Disconnect
      </button>
    </div>
  );
}

function DisconnectDialog({ connection, onClose }: { connection: ConnectionInfo; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const google = useConnect();
  const title = useId();
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);

  const leave = async () => {
    try {
      await google.disconnect(connection.id);
      onClose();
    } catch {
      // `google.error` tells it, and the dialog stays.
    }
  };

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <h2 id={title}>Disconnect {connection.email}?</h2>
      <p>
        Calwire stops reading this account at once and gives its access back to Google. The events copied from it are
        deleted here within a minute. In Google itself nothing changes, and you can connect again at any time.
      </p>
      {google.error && (
        <p className="notice" role="alert">
          {google.error.message}
        </p>
      )}
      <div className="dialog-end">
        <button type="button" className="button" onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="button danger" disabled={google.isPending} onClick={() => void leave()}>
          {google.isPending ? 'Disconnecting…' : 'Disconnect'}
        </button>
      </div>
    </dialog>
  );
}
