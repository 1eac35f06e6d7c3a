import { useCallback, useMemo } from 'react';

import type { CalendarInfo, ConnectionInfo } from '../../generated/types.js';
import type { LiveResult } from './live-result.js';
import { useCalendars } from './use-calendars.js';
import { useSyncStatus } from './use-sync-status.js';

/** A connected Google account with its calendars. */
export interface Account extends ConnectionInfo {
  calendars: CalendarInfo[];
}

export interface UseAccountsResult extends LiveResult {
  /** In the order in which they were connected. */
  accounts: Account[];
  connected: boolean;
  hasCalendarAccess: boolean;
}

/** The connected Google accounts, each with its calendars. */
export function useAccounts(): UseAccountsResult {
  const status = useSyncStatus();
  const list = useCalendars();
  const { connections } = status;
  const { calendars } = list;
  const accounts = useMemo(
    () =>
      connections.map((connection) => ({
        ...connection,
        calendars: calendars.filter(({ connectionId }) => connectionId === connection.id),
      })),
    [connections, calendars],
  );
  const [refetchStatus, refetchList] = [status.refetch, list.refetch];
  const refetch = useCallback(async () => {
    await Promise.all([refetchStatus(), refetchList()]);
  }, [refetchStatus, refetchList]);
  return {
    asOf: status.asOf,
    mode: status.mode,
    live: status.live,
    connected: status.connected,
    hasCalendarAccess: status.hasCalendarAccess,
    isLoading: status.isLoading || (accounts.length > 0 && list.isLoading),
    fromSnapshot: status.fromSnapshot || list.fromSnapshot,
    error: status.error ?? list.error,
    accounts,
    refetch,
  };
}
