/** Keys of the query cache. Each starts with the user, so no user is shown another's data. */
import type { InvalidateQueryFilters, Query, QueryClient } from '@tanstack/react-query';

import type {
  Event,
  EventInput,
  EventList,
  EventsInput,
  SyncActivityInput,
  UpcomingEventsInput,
} from '../generated/types.js';

export const keys = {
  user: (userId: string | null) => ['calwire', userId] as const,
  upcoming: (userId: string | null, input: UpcomingEventsInput) => ['calwire', userId, 'upcoming', input] as const,
  events: (userId: string | null, input: EventsInput) => ['calwire', userId, 'events', input] as const,
  event: (userId: string | null, input: EventInput & { etag: string }) => ['calwire', userId, 'event', input] as const,
  calendars: (userId: string | null) => ['calwire', userId, 'calendars'] as const,
  status: (userId: string | null) => ['calwire', userId, 'status'] as const,
  activity: (userId: string | null, input: SyncActivityInput) => ['calwire', userId, 'activity', input] as const,
};

function isList({ queryKey: [, , kind] }: Query): boolean {
  return kind === 'events' || kind === 'upcoming';
}

/** All events in cached lists. */
export function listedEvents(cache: QueryClient, userId: string): Event[] {
  const lists = cache.getQueriesData<EventList>({
    queryKey: keys.user(userId),
    predicate: isList,
  });
  return lists.flatMap(([, list]) => list?.events ?? []);
}

/** Invalidates cached lists that may contain events of these calendars. Lists that are shown are reloaded. */
export function invalidateEvents(cache: QueryClient, userId: string, calendarIds: ReadonlySet<string>): Promise<void> {
  return invalidate(cache, {
    queryKey: keys.user(userId),
    predicate: (query) =>
      isList(query) &&
      ((query.queryKey[3] as UpcomingEventsInput).calendarIds?.some((id) => calendarIds.has(id)) ?? true),
  });
}

/**
 * Invalidates cached data. The cache's own method ignores a first load that is running, although the server may have read
 * before the change: such a load is repeated when it has ended.
 */
export async function invalidate(cache: QueryClient, filters: InvalidateQueryFilters): Promise<void> {
  const firstLoads = cache
    .getQueryCache()
    .findAll({ ...filters, fetchStatus: 'fetching' })
    .filter(({ state }) => !state.data);
  await cache.invalidateQueries(filters);
  const repeat = ({ queryKey }: Query) => cache.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false });
  await Promise.all(firstLoads.map(repeat));
}
