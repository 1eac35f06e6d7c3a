/** Keys of the query cache. All begin with the user, so that one user's answers are never another's. */
import type { QueryClient } from '@tanstack/react-query';

import type { EventsInput, SyncActivityInput, UpcomingEventsInput } from '../generated/types.js';

export const keys = {
  user: (userId: string | null) => ['calwire', userId] as const,
  upcoming: (userId: string | null, input: UpcomingEventsInput) => ['calwire', userId, 'upcoming', input] as const,
  events: (userId: string | null, input: EventsInput) => ['calwire', userId, 'events', input] as const,
  calendars: (userId: string | null) => ['calwire', userId, 'calendars'] as const,
  status: (userId: string | null) => ['calwire', userId, 'status'] as const,
  activity: (userId: string | null, input: SyncActivityInput) => ['calwire', userId, 'activity', input] as const,
};

/** Marks lists of events as out of date that may show something of these calendars. */
export function invalidateEvents(cache: QueryClient, userId: string, calendarIds: ReadonlySet<string>): void {
  void cache.invalidateQueries({
    queryKey: keys.user(userId),
    predicate: ({ queryKey: [, , kind, input] }) => {
      if (kind !== 'events' && kind !== 'upcoming') return false;
      const asked = (input as UpcomingEventsInput).calendarIds;
      return !asked || asked.some((id) => calendarIds.has(id));
    },
  });
}
