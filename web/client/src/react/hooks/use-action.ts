import { useCallback, useState } from 'react';

import { CalwireError } from '../../core/error.js';
import type { Session } from '../../core/session.js';

interface Progress {
  session: Session | null;
  running: number;
  error: CalwireError | null;
}

export interface Action {
  /** Runs something that changes the server. Why it failed is in `error`; the promise never rejects, it is then of null. */
  run: <T>(work: (session: Session) => Promise<T>) => Promise<T | null>;
  isPending: boolean;
  /** Why the last one failed. */
  error: CalwireError | null;
}

export function useAction(session: Session | null): Action {
  const [progress, setProgress] = useState<Progress>({ session, running: 0, error: null });
  const run = useCallback(
    async <T>(work: (session: Session) => Promise<T>): Promise<T | null> => {
      if (!session) return null;
      const change = (by: number, error: CalwireError | null) =>
        setProgress((before) => ({
          session,
          running: (before.session === session ? before.running : 0) + by,
          error,
        }));
      change(1, null);
      try {
        const answer = await work(session);
        change(-1, null);
        return answer;
      } catch (error) {
        change(-1, CalwireError.of(error));
        return null;
      }
    },
    [session],
  );
  // What another user did is none of this one's business.
  const mine = progress.session === session;
  return { run, isPending: mine && progress.running > 0, error: mine ? progress.error : null };
}
