import { keys } from '../../core/keys.js';
import type { CalendarEvent } from '../../index.js';
import { useSession } from '../context.js';
import { useCalwireQuery } from '../hooks/use-calwire-query.js';

/** The event with the texts whole that it has cut. Null: they are being loaded, or there is no event. */
export function useWhole(event: CalendarEvent | null): CalendarEvent | null {
  const current = useSession();
  const isCut = (event?.cutFields?.length ?? 0) > 0;
  const input = { calendarId: event?.calendarId ?? '', eventId: event?.id ?? '' };
  const { data } = useCalwireQuery(current, {
    key: keys.event(current.userId, { ...input, etag: event?.etag ?? '' }),
    load: (api, signal) => api.calendar.google.getEvent.query(input, { signal }),
    enabled: isCut,
  });
  return isCut ? (data ?? null) : event;
}
