import type { EventsAnswer } from './answers.js';
export interface EventsOptions {
  from: string | Date;
  to: string | Date;
  calendarIds?: string[];
  timeZone?: string;
}
const nothing = {
  asOf: null,
  mode: null,
  live: 'connecting',
  isLoading: true,
  fromSnapshot: false,
  error: null,
  refetch: () => Promise.resolve(),
} as const;
export function useEvents(_options: EventsOptions): EventsAnswer {
  return { ...nothing, events: [], connected: false, hasCalendarAccess: false, truncated: false, calendars: [] };
}
