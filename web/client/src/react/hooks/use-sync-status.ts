import { useCallback, useMemo } from 'react';

import { keys } from '../../core/keys.js';
import { overall, refreshed } from '../../core/occurrence.js';
import type { ConnectionInfo, Freshness } from '../../generated/types.js';
import { useSession } from '../context.js';
import type { LiveResult } from './live-result.js';
import { useAction } from './use-action.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useQueryState } from './use-query-state.js';

export interface UseSyncStatusResult extends LiveResult {
  connections: ConnectionInfo[];
  calendars: Freshness[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** Google can reach this installation. Otherwise Calwire polls Google. */
  pushAvailable: boolean;
  /** Pulls from Google now, for these calendars or for all. Changes arrive over the socket. */
  syncNow(ids?: string[]): Promise<void>;
}

const NO_CONNECTIONS: ConnectionInfo[] = [];
const NO_CALENDARS: readonly Freshness[] = [];
/** The server sends no message when a calendar falls behind, so the status is reloaded at this interval. */
const REFETCH_EVERY = 5 * 60_000;

/** The connected Google accounts, and how current each calendar is. */
export function useSyncStatus(): UseSyncStatusResult {
  const current = useSession();
  const { session, userId, state } = current;
  const query = useCalwireQuery(current, {
    key: keys.status(userId),
    load: async (api, signal) => {
      const status = await api.calendar.google.status.query(undefined, { signal });
      session?.noteFreshness(status.calendars);
      session?.remember();
      return status;
    },
    refetchEvery: REFETCH_EVERY,
  });
  const queryState = useQueryState(current, query);
  const { run, error } = useAction(session);
  const syncNow = useCallback(
    async (ids?: string[]) => {
      await run(({ api }) => api.calendar.google.syncNow.mutate({ calendarIds: ids }));
    },
    [run],
  );

  const queried = query.data?.calendars;
  const live = state.data?.freshness ?? NO_CALENDARS;
  // Messages may have updated it since the query.
  const calendars = useMemo(() => [...(queried ? refreshed(queried, live) : live)], [queried, live]);
  const connected = query.data?.connected ?? state.data?.connected ?? false;
  return {
    ...queryState,
    ...(query.data || state.data ? overall(calendars, connected) : { asOf: null, mode: null }),
    error: error ?? queryState.error,
    connections: query.data?.connections ?? NO_CONNECTIONS,
    calendars,
    connected,
    hasCalendarAccess: query.data?.hasCalendarAccess ?? state.data?.hasCalendarAccess ?? false,
    pushAvailable: query.data?.pushAvailable ?? false,
    syncNow,
  };
}
