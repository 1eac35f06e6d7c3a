import type { EventsAnswer } from './answers.js';
export interface UpcomingEventsOptions {
  days?: number;
  maxResults?: number;
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
export function useUpcomingEvents(_options?: UpcomingEventsOptions): EventsAnswer {
  return { ...nothing, events: [], connected: false, hasCalendarAccess: false, truncated: false, calendars: [] };
}
