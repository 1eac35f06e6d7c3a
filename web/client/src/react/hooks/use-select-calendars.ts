import { useCallback } from 'react';

import type { CalwireError } from '../../core/error.js';
import { useSession } from '../context.js';
import { useAction } from './use-action.js';

export interface UseSelectCalendarsResult {
  /** Whether these calendars are kept current and shown. The selection of the others does not change. */
  select: (ids: string[], selected: boolean) => Promise<void>;
  isPending: boolean;
  /** Why the last selection was reverted. */
  error: CalwireError | null;
}

/** Selects calendars. The whole page shows the selection at once, and reverts it if the server rejects it. */
export function useSelectCalendars(): UseSelectCalendarsResult {
  const { session } = useSession();
  const { run, isPending, error } = useAction(session);
  const select = useCallback(
    async (ids: string[], selected: boolean) => {
      await run((session) => session.select(ids, selected));
    },
    [run],
  );
  return { select, isPending, error };
}
