import type { CalwireError } from '../../core/error.js';
import { keys } from '../../core/keys.js';
import type { CalendarEvent } from '../../index.js';
import { useSession } from '../context.js';
import { useCalwireQuery } from '../hooks/use-calwire-query.js';

export interface UseWholeResult {
  /** The event with the texts whole that it has cut. Null: they are not loaded, or there is no event. */
  whole: CalendarEvent | null;
  /** Why the texts could not be loaded. Null while they are being loaded again. */
  error: CalwireError | null;
  reload: () => void;
}

/** Loads the texts that an event has cut. */
export function useWhole(event: CalendarEvent | null): UseWholeResult {
  const current = useSession();
  const isCut = (event?.cutFields?.length ?? 0) > 0;
  const input = { calendarId: event?.calendarId ?? '', eventId: event?.id ?? '' };
  const { data, error, isFetching, refetch } = useCalwireQuery(current, {
    key: keys.event(current.userId, { ...input, etag: event?.etag ?? '' }),
    load: (api, signal) => api.calendar.google.getEvent.query(input, { signal }),
    enabled: isCut,
  });
  return {
    whole: isCut ? (data ?? null) : event,
    error: isCut && !isFetching ? error : null,
    reload: () => {
      void refetch();
    },
  };
}
