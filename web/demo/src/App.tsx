import { CalwireProvider, type ConnectOutcome } from '@calwire/client/react';
import { useEffect, useMemo, useState } from 'react';

import { useAddress } from './address';
import { Banner } from './parts/Banner';
import { SignedIn } from './SignedIn';
import { SignIn } from './SignIn';
import { Problem } from './parts/Problem';
import { goToOrigin, loadSession, tokensOf, type Session } from './session';

export function App({ outcome }: { outcome: ConnectOutcome | null }) {
  const { user, view } = useAddress();
  const { session, error, retry } = useSession();
  const [connected, setConnected] = useState(() => outcome && { outcome, user });
  // Shown only to the user who connected, not after switching to another one.
  const banner = connected?.user === user && <Banner outcome={connected.outcome} onClose={() => setConnected(null)} />;

  if (error !== null) return <Unreachable error={error} onRetry={retry} />;
  if (session === null) return <p className="waiting">Opening…</p>;
  if (user === null || !session.users.includes(user)) {
    return <SignIn users={session.users} unknown={user} banner={banner} />;
  }
  return <ForUser session={session} user={user} view={view} banner={banner} />;
}

type ForUserProps = Omit<Parameters<typeof SignedIn>[0], 'key'>;

function ForUser(props: ForUserProps) {
  const { session, user } = props;
  const getAuthToken = useMemo(() => tokensOf(user), [user]);
  return (
    <CalwireProvider apiUrl={session.apiUrl} wsUrl={session.wsUrl} getAuthToken={getAuthToken} userId={user}>
      {/* The key resets all state, such as the message log, when the user changes. */}
      <SignedIn key={user} {...props} />
    </CalwireProvider>
  );
}

function useSession(): { session: Session | null; error: Error | null; retry: () => void } {
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    loadSession(abort.signal).then(
      (loaded) => {
        if (!abort.signal.aborted && !goToOrigin(loaded)) setSession(loaded);
      },
      (reason: unknown) => {
        if (!abort.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)));
      },
    );
    return () => abort.abort();
  }, [attempt]);

  const retry = () => {
    setError(null);
    setAttempt(attempt + 1);
  };
  return { session, error, retry };
}

function Unreachable({ error, onRetry }: { error: Error; onRetry: () => void }) {
  return (
    <Problem title="Calwire does not answer">
      <p>
        <code>cargo xtask up</code> serves this page and its services. Start it, or check its terminal for errors; then
        try again.
      </p>
      <p className="fine">{error.message}</p>
      <button type="button" className="button primary" onClick={onRetry}>
        Try again
      </button>
    </Problem>
  );
}
