import { keys } from '../../core/keys.js';
import { overall } from '../../core/occurrence.js';
import type { CalendarActivity } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { SyncActivityAnswer } from './answers.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useList } from './use-list.js';
import { useStableIds } from './use-stable.js';

const NO_CALENDARS: CalendarActivity[] = [];
const ASK_EVERY = 5_000;

/** What was done lately to keep the calendars current: a look behind the scenes, asked for every five seconds. */
export function useSyncActivity(options: { calendarIds?: string[] | undefined } = {}): SyncActivityAnswer {
  const present = usePresent();
  const { userId, state } = present;
  const calendarIds = useStableIds(options.calendarIds);
  const key = keys.activity(userId, calendarIds ? { calendarIds } : {});
  const query = useCalwireQuery(present, {
    key,
    ask: (api, signal) => api.calendar.google.getSyncActivity.query(key[3], { signal }),
    staleTime: 0,
    every: ASK_EVERY,
  });
  const calendars = query.data?.calendars ?? NO_CALENDARS;
  return {
    ...useList(present, query),
    ...(query.data ? overall(calendars, state.data?.connected ?? true) : { asOf: null, mode: null }),
    calendars,
  };
}
