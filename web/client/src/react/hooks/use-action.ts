import { useCallback, useState } from 'react';

import { CalwireError } from '../../core/error.js';
import type { Session } from '../../core/session.js';

interface Progress {
  session: Session | null;
  running: number;
  error: CalwireError | null;
}

export interface UseActionResult {
  /** Runs something that changes the server. Never rejects: on failure it resolves to null, and `error` has the reason. */
  run: <T>(work: (session: Session) => Promise<T>) => Promise<T | null>;
  isPending: boolean;
  /** Why the last run failed. */
  error: CalwireError | null;
}

export function useAction(session: Session | null): UseActionResult {
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
        const result = await work(session);
        change(-1, null);
        return result;
      } catch (error) {
        change(-1, CalwireError.of(error));
        return null;
      }
    },
    [session],
  );
  // The progress of another user's action is not shown to this one.
  const mine = progress.session === session;
  return { run, isPending: mine && progress.running > 0, error: mine ? progress.error : null };
}
