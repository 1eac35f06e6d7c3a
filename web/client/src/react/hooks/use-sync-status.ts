import type { SyncStatusAnswer } from './answers.js';
const nothing = {
  asOf: null,
  mode: null,
  live: 'connecting',
  isLoading: true,
  fromSnapshot: false,
  error: null,
  refetch: () => Promise.resolve(),
} as const;
export function useSyncStatus(): SyncStatusAnswer {
  return {
    ...nothing,
    connections: [],
    calendars: [],
    connected: false,
    hasCalendarAccess: false,
    pushAvailable: false,
    syncNow: () => Promise.resolve(),
  };
}
