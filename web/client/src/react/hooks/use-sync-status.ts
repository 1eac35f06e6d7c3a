import { useCallback, useMemo } from 'react';

import { keys } from '../../core/keys.js';
import { older, overall } from '../../core/occurrence.js';
import type { ConnectionInfo, Freshness } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { SyncStatusAnswer } from './answers.js';
import { useAction } from './use-action.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useList } from './use-list.js';

const NO_CONNECTIONS: ConnectionInfo[] = [];
const NO_CALENDARS: readonly Freshness[] = [];
/** That a calendar falls behind is the lack of a message, so now and then it has to be asked for. */
const ASK_EVERY = 5 * 60_000;

/** The connected Google accounts, and how current each calendar is. */
export function useSyncStatus(): SyncStatusAnswer {
  const present = usePresent();
  const { session, userId, state } = present;
  const query = useCalwireQuery(present, {
    key: keys.status(userId),
    ask: async (api, signal) => {
      const status = await api.calendar.google.status.query(undefined, { signal });
      session?.noteFreshness(status.calendars);
      session?.remember();
      return status;
    },
    every: ASK_EVERY,
  });
  const list = useList(present, query);
  const { run, error } = useAction(session);
  const syncNow = useCallback(
    async (ids?: string[]) => {
      await run(({ api }) => api.calendar.google.syncNow.mutate(ids ? { calendarIds: ids } : undefined));
    },
    [run],
  );

  const told = query.data?.calendars;
  const heard = state.data?.freshness ?? NO_CALENDARS;
  const calendars = useMemo(() => newest(told, heard), [told, heard]);
  const connected = query.data?.connected ?? state.data?.connected ?? false;
  return {
    ...list,
    ...(query.data || state.data ? overall(calendars, connected) : { asOf: null, mode: null }),
    error: error ?? list.error,
    connections: query.data?.connections ?? NO_CONNECTIONS,
    calendars,
    connected,
    hasCalendarAccess: query.data?.hasCalendarAccess ?? state.data?.hasCalendarAccess ?? false,
    pushAvailable: query.data?.pushAvailable ?? false,
    syncNow,
  };
}

/** What was told and what was heard by messages since: of each calendar the newer. */
function newest(told: readonly Freshness[] | undefined, heard: readonly Freshness[]): Freshness[] {
  if (!told) return [...heard];
  return told.map((calendar) => {
    const other = heard.find(({ calendarId }) => calendarId === calendar.calendarId);
    return other && older(calendar.asOf, other.asOf) ? other : calendar;
  });
}
