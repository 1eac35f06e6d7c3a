import { useCallback } from 'react';

import { usePresent } from '../context.js';
import type { SelectCalendarsAnswer } from './answers.js';
import { useAction } from './use-action.js';

/** Chooses calendars. It is shown at once, everywhere on the page, and taken back where the server refuses. */
export function useSelectCalendars(): SelectCalendarsAnswer {
  const { session } = usePresent();
  const { run, isPending, error } = useAction(session);
  const select = useCallback(
    async (ids: string[], selected: boolean) => {
      await run((session) => session.select(ids, selected));
    },
    [run],
  );
  return { select, isPending, error };
}
