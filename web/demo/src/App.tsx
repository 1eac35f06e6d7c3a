import { CalwireProvider } from '@calwire/client/react';
import { useEffect, useMemo, useState } from 'react';

import { useAddress, type Outcome } from './address';
import { Banner } from './parts/Banner';
import { Signed } from './Signed';
import { SignIn } from './SignIn';
import { Problem } from './parts/Problem';
import { goToOrigin, loadSession, tokensOf, type Session } from './session';

export function App({ outcome }: { outcome: Outcome | null }) {
  const { user, view } = useAddress();
  const { session, error, retry } = useSession();
  const [told, setTold] = useState(() => outcome && { outcome, user });
  // It is said to the one who connected, and not to whom the page is switched to.
  const banner = told?.user === user && <Banner outcome={told.outcome} onClose={() => setTold(null)} />;

  if (error !== null) return <Unreachable error={error} onRetry={retry} />;
  if (session === null) return <p className="waiting">Opening…</p>;
  if (user === null || !session.users.includes(user)) {
    return <SignIn users={session.users} unknown={user} banner={banner} />;
  }
  return <ForUser session={session} user={user} view={view} banner={banner} />;
}

type ForUserProps = Omit<Parameters<typeof Signed>[0], 'key'>;

function ForUser(props: ForUserProps) {
  const { session, user } = props;
  const getAuthToken = useMemo(() => tokensOf(user), [user]);
  return (
    <CalwireProvider apiUrl={session.apiUrl} wsUrl={session.wsUrl} getAuthToken={getAuthToken} userId={user}>
      {/* What the page remembers of one user, its log of messages for instance, is not the next one's. */}
      <Signed key={user} {...props} />
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
        This page comes with <code>cargo xtask up</code>, which tells it where everything is. Start it, or look in its
        terminal for what ended; then try again.
      </p>
      <p className="fine">{error.message}</p>
      <button type="button" className="button primary" onClick={onRetry}>
        Try again
      </button>
    </Problem>
  );
}
