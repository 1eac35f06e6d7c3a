import { useEffect, useMemo, useState } from 'react';

import { setClockTimeout } from '../../core/clock-timeout.js';
import { keys } from '../../core/keys.js';
import { daysWindow, touching } from '../../core/occurrence.js';
import { nextBoundary, upcoming, willCover } from '../../core/upcoming.js';
import { localZone } from '../../core/zone.js';
import type { EventType } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useEventsResult, type UseEventsResult } from './use-events-result.js';
import { useStable } from './use-stable.js';

export interface UpcomingEventsOptions {
  /** Local days, 0 to 365: 0 is from now to the end of today, 1 (the default) to the end of tomorrow. */
  days?: number | undefined;
  /** 1 to 250; 10 by default. */
  maxResults?: number | undefined;
  /** Default: the selected calendars. */
  calendarIds?: string[] | undefined;
  /** The zone of the local days, by IANA name. Default: the browser's. */
  timeZone?: string | undefined;
  /** Google's types of events. Default: all. Without `birthday`, birthdays are hidden. */
  eventTypes?: EventType[] | undefined;
}

export type UseUpcomingEventsResult = UseEventsResult;

/** Running and upcoming events, updated by messages, and by the clock as events end and days begin. */
export function useUpcomingEvents(options: UpcomingEventsOptions = {}): UseUpcomingEventsResult {
  const current = useSession();
  const { userId, cache, state } = current;
  const days = bounded(options.days ?? 1, 0, 365);
  const maxResults = bounded(options.maxResults ?? 10, 1, 250);
  const filter = useStable({ calendarIds: options.calendarIds, eventTypes: options.eventTypes });
  const zone = options.timeZone ?? localZone();
  const [boundary, setBoundary] = useState(() => Date.now());
  const now = Math.max(boundary, state.at);
  const { data } = state;

  const local = useMemo(
    () => data && upcoming(data, now, { days, maxResults, zone, ...filter }),
    [data, now, days, maxResults, zone, filter],
  );
  const span = useMemo(() => daysWindow(now, days, zone), [now, days, zone]);
  // Before the first snapshot has arrived, only load ranges that it will not cover.
  const fromServer = !local && (state.source === 'server' || !willCover(now, span));
  const key = useMemo(
    () => keys.upcoming(userId, { days, maxResults, timeZone: zone, ...filter }),
    [userId, days, maxResults, zone, filter],
  );
  const query = useCalwireQuery(current, {
    key,
    load: (api, signal) => api.calendar.google.getUpcomingEvents.query(key[3], { signal }),
    enabled: fromServer,
  });
  const result = useEventsResult({ current, local, query, fromServer, span, zone, filter, limit: maxResults });

  const validUntil = local ? local.validUntil : nextBoundary(result.events, now, zone);
  useEffect(
    () =>
      setClockTimeout(validUntil, () => {
        setBoundary(Date.now());
        if (fromServer) void cache.invalidateQueries({ queryKey: key });
      }),
    [validUntil, fromServer, cache, key],
  );

  const events = useMemo(
    () => (fromServer ? result.events.filter(touching(span, zone)) : result.events),
    [fromServer, result.events, span, zone],
  );
  return { ...result, events };
}

function bounded(number: number, least: number, most: number): number {
  return Math.min(Math.max(Math.trunc(number), least), most);
}
