import { useMemo, useState } from 'react';

import { keys } from '../../core/keys.js';
import { covers, eventsWithin, willCover } from '../../core/upcoming.js';
import { instantOf, localZone } from '../../core/zone.js';
import type { EventType } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useEventsResult, type UseEventsResult } from './use-events-result.js';
import { useStable } from './use-stable.js';

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

/**
 * The events that touch `[from, to)`. The weeks around today are known and cost no request; other ranges are loaded from
 * the server's mirror.
 */
export function useEvents(options: EventsOptions): UseEventsResult {
  const current = useSession();
  const { userId, state } = current;
  const filter = useStable({ calendarIds: options.calendarIds, eventTypes: options.eventTypes });
  const zone = options.timeZone ?? localZone();
  const from = instantOf(options.from, zone);
  const to = instantOf(options.to, zone);
  if (!(from < to)) throw new RangeError('useEvents: `from` must be before `to`');
  const { data } = state;
  const [mountedAt] = useState(() => Date.now());

  const span = useMemo(() => ({ from, to }), [from, to]);
  const local = useMemo(
    () =>
      data && covers(data, span, filter.calendarIds)
        ? { events: eventsWithin(data, span, zone, filter), truncated: false }
        : null,
    [data, span, zone, filter],
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
  return useEventsResult({ current, local, query, fromServer, span, zone, filter });
}
