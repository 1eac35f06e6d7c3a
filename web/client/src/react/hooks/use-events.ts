import { useMemo, useState } from 'react';

import { mergeDuplicates } from '../../core/duplicates.js';
import { keys } from '../../core/keys.js';
import { inOrder, touching } from '../../core/occurrence.js';
import { overlaidList } from '../../core/overlay.js';
import { covers, eventsWithin, willCover } from '../../core/upcoming.js';
import { instantOf, localZone } from '../../core/zone.js';
import type { Event as CalendarEvent, EventType } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useEventsResult, type UseEventsResult } from './use-events-result.js';
import { useStableIds } from './use-stable.js';

export interface EventsOptions {
  /** Inclusive. An instant (a Date, or RFC 3339), or a date (`2026-11-22`), which means the start of that day. */
  from: string | Date;
  /** Exclusive, as `from`. */
  to: string | Date;
  /** Default: the selected calendars. */
  calendarIds?: string[] | undefined;
  /** The zone, by IANA name, that decides which days all-day events are on. Default: the browser's. */
  timeZone?: string | undefined;
  /** Google's types of events. Default: all. Without `birthday`, birthdays are hidden. */
  eventTypes?: EventType[] | undefined;
}

const NONE: CalendarEvent[] = [];

/**
 * The events that touch `[from, to)`. The weeks around today are known and cost no request; other ranges are loaded from
 * the server's mirror.
 */
export function useEvents(options: EventsOptions): UseEventsResult {
  const current = useSession();
  const { userId, state } = current;
  const calendarIds = useStableIds(options.calendarIds);
  const eventTypes = useStableIds(options.eventTypes);
  const filter = useMemo(() => ({ calendarIds, eventTypes }), [calendarIds, eventTypes]);
  const zone = options.timeZone ?? localZone();
  const from = instantOf(options.from, zone);
  const to = instantOf(options.to, zone);
  if (!(from < to)) throw new RangeError('useEvents: `from` must be before `to`');
  const { data } = state;
  const [mountedAt] = useState(() => Date.now());

  const span = useMemo(() => ({ from, to }), [from, to]);
  const local = useMemo(
    () =>
      data && covers(data, span, calendarIds)
        ? { events: eventsWithin(data, span, zone, filter), truncated: false }
        : null,
    [data, span, zone, calendarIds, filter],
  );
  // Before the first snapshot has arrived, only load ranges that it will not cover.
  const fromServer = !local && (state.source === 'server' || !willCover(mountedAt, span));
  const key = useMemo(() => {
    const input = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), timeZone: zone };
    return keys.events(userId, { ...input, ...filter });
  }, [userId, from, to, zone, filter]);
  const query = useCalwireQuery(current, {
    key,
    load: (api, signal) => api.calendar.google.getEvents.query(key[3], { signal }),
    enabled: fromServer,
    keepLast: true,
  });

  const { writes } = state.edits;
  const loaded = query.data?.events;
  const listed = useMemo(
    () => loaded && overlaidList(loaded, writes, { span, zone, ...filter, data }),
    [loaded, writes, span, zone, filter, data],
  );
  const previous = fromServer && query.isPlaceholderData ? query.data.events : undefined;
  const interim = useMemo(() => {
    if (local) return NONE;
    const known = data ? eventsWithin(data, span, zone, filter) : NONE;
    const shown = new Set(known.map(identityOf));
    const kept = (previous ?? NONE).filter(touching(span, zone)).filter((event) => !shown.has(identityOf(event)));
    return mergeDuplicates(inOrder([...known, ...kept], zone));
  }, [local, data, span, zone, filter, previous]);
  return useEventsResult({ current, local, interim, query, listed, fromServer, calendarIds });
}

function identityOf({ calendarId, id }: CalendarEvent): string {
  return `${calendarId} ${id}`;
}
