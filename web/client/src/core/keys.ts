/** Keys of the query cache. All begin with the user, so that one user's answers are never another's. */
import type { QueryClient } from '@tanstack/react-query';

import type { Event, EventList, EventsInput, SyncActivityInput, UpcomingEventsInput } from '../generated/types.js';

export const keys = {
  user: (userId: string | null) => ['calwire', userId] as const,
  upcoming: (userId: string | null, input: UpcomingEventsInput) => ['calwire', userId, 'upcoming', input] as const,
  events: (userId: string | null, input: EventsInput) => ['calwire', userId, 'events', input] as const,
  calendars: (userId: string | null) => ['calwire', userId, 'calendars'] as const,
  status: (userId: string | null) => ['calwire', userId, 'status'] as const,
  activity: (userId: string | null, input: SyncActivityInput) => ['calwire', userId, 'activity', input] as const,
};

/** All events in lists that were asked for. */
export function listedEvents(cache: QueryClient, userId: string): Event[] {
  const lists = cache.getQueriesData<EventList>({
    queryKey: keys.user(userId),
    predicate: ({ queryKey: [, , kind] }) => kind === 'events' || kind === 'upcoming',
  });
  return lists.flatMap(([, list]) => list?.events ?? []);
}

/** Marks lists of events as out of date that may show something of these calendars, and asks anew for those that are seen. */
export function invalidateEvents(cache: QueryClient, userId: string, calendarIds: ReadonlySet<string>): Promise<void> {
  return cache.invalidateQueries({
    queryKey: keys.user(userId),
    predicate: ({ queryKey: [, , kind, input] }) => {
      if (kind !== 'events' && kind !== 'upcoming') return false;
      const asked = (input as UpcomingEventsInput).calendarIds;
      return !asked || asked.some((id) => calendarIds.has(id));
    },
  });
}
