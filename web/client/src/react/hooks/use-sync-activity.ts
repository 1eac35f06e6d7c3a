import type { SyncActivityAnswer } from './answers.js';
const nothing = {
  asOf: null,
  mode: null,
  live: 'connecting',
  isLoading: true,
  fromSnapshot: false,
  error: null,
  refetch: () => Promise.resolve(),
} as const;
export function useSyncActivity(_options?: { calendarIds?: string[] }): SyncActivityAnswer {
  return { ...nothing, calendars: [] };
}
