import type { CalendarsAnswer } from './answers.js';
const nothing = {
  asOf: null,
  mode: null,
  live: 'connecting',
  isLoading: true,
  fromSnapshot: false,
  error: null,
  refetch: () => Promise.resolve(),
} as const;
export function useCalendars(): CalendarsAnswer {
  return { ...nothing, calendars: [], connected: false, hasCalendarAccess: false, select: () => Promise.resolve() };
}
