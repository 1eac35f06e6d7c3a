import { useCallback, useMemo } from 'react';

import type { AccountsAnswer } from './answers.js';
import { useCalendars } from './use-calendars.js';
import { useSyncStatus } from './use-sync-status.js';

/** The connected Google accounts, each with its calendars. */
export function useAccounts(): AccountsAnswer {
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
  const [askStatus, askList] = [status.refetch, list.refetch];
  const refetch = useCallback(async () => {
    await Promise.all([askStatus(), askList()]);
  }, [askStatus, askList]);
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
