import { keys } from '../../core/keys.js';
import { overall } from '../../core/occurrence.js';
import type { CalendarActivity } from '../../generated/types.js';
import { useSession } from '../context.js';
import type { LiveResult } from './live-result.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useQueryState } from './use-query-state.js';

export interface UseSyncActivityResult extends LiveResult {
  calendars: CalendarActivity[];
}

const NO_CALENDARS: CalendarActivity[] = [];
const REFETCH_EVERY = 5_000;

/** The recent pushes and pulls of each calendar, reloaded every five seconds. */
export function useSyncActivity(options: { calendarIds?: string[] | undefined } = {}): UseSyncActivityResult {
  const current = useSession();
  const { userId, state } = current;
  const key = keys.activity(userId, { calendarIds: options.calendarIds });
  const query = useCalwireQuery(current, {
    key,
    load: (api, signal) => api.calendar.google.getSyncActivity.query(key[3], { signal }),
    staleTime: 0,
    refetchEvery: REFETCH_EVERY,
  });
  const calendars = query.data?.calendars ?? NO_CALENDARS;
  return {
    ...useQueryState(current, query),
    ...(query.data ? overall(calendars, state.data?.connected ?? true) : { asOf: null, mode: null }),
    calendars,
  };
}
