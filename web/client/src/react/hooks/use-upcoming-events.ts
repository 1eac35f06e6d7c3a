import { useEffect, useMemo, useState } from 'react';

import { at } from '../../core/alarm.js';
import { keys } from '../../core/keys.js';
import { daysWindow, touching } from '../../core/occurrence.js';
import { overlaidList } from '../../core/overlay.js';
import { eventsWithin, nextBoundary, upcoming, willCover } from '../../core/upcoming.js';
import { localZone } from '../../core/zone.js';
import type { Event as CalendarEvent } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { EventsAnswer } from './answers.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useEventsAnswer } from './use-events-answer.js';
import { useStableIds } from './use-stable.js';

export interface UpcomingEventsOptions {
  /** Local days, 0 to 365: 0 is from now to the end of today, 1 (the default) to the end of tomorrow. */
  days?: number | undefined;
  /** 1 to 50; 10 by default. */
  maxResults?: number | undefined;
  /** Default: the selected calendars. */
  calendarIds?: string[] | undefined;
  /** Whose days are meant, by IANA name. Default: the browser's zone. */
  timeZone?: string | undefined;
}

const NONE: CalendarEvent[] = [];

/** What is running and what comes, kept current: by messages, and by the clock as events end and days begin. */
export function useUpcomingEvents(options: UpcomingEventsOptions = {}): EventsAnswer {
  const present = usePresent();
  const { userId, cache, state } = present;
  const days = bounded(options.days ?? 1, 0, 365);
  const maxResults = bounded(options.maxResults ?? 10, 1, 50);
  const calendarIds = useStableIds(options.calendarIds);
  const zone = options.timeZone ?? localZone();
  const [boundary, setBoundary] = useState(() => Date.now());
  const now = Math.max(boundary, state.at);
  const { data } = state;

  const local = useMemo(
    () => data && upcoming(data, now, { days, maxResults, calendarIds, zone }),
    [data, now, days, maxResults, calendarIds, zone],
  );
  const span = useMemo(() => daysWindow(now, days, zone), [now, days, zone]);
  // Before the first snapshot is here, only what it will not have is asked for.
  const asking = !local && (state.source === 'server' || !willCover(now, span));
  const key = useMemo(
    () => keys.upcoming(userId, { days, maxResults, timeZone: zone, ...(calendarIds && { calendarIds }) }),
    [userId, days, maxResults, zone, calendarIds],
  );
  const query = useCalwireQuery(present, {
    key,
    ask: (api, signal) => api.calendar.google.getUpcomingEvents.query(key[3], { signal }),
    enabled: asking,
  });
  const asked = query.data?.events;
  const { writes } = state.edits;
  const listed = useMemo(
    () => asked && overlaidList(asked, writes, { span, zone, calendarIds, data }).slice(0, maxResults),
    [asked, writes, span, zone, calendarIds, data, maxResults],
  );
  const meanwhile = useMemo(
    () => (data && !local ? eventsWithin(data, span, zone, calendarIds).slice(0, maxResults) : NONE),
    [data, local, span, zone, calendarIds, maxResults],
  );

  const validUntil = local ? local.validUntil : nextBoundary(asked ?? meanwhile, now, zone);
  useEffect(
    () =>
      at(validUntil, () => {
        setBoundary(Date.now());
        if (asking) void cache.invalidateQueries({ queryKey: key });
      }),
    [validUntil, asking, cache, key],
  );

  const answer = useEventsAnswer({ present, local, meanwhile, query, listed, asking, calendarIds });
  const events = useMemo(
    () => (asking ? answer.events.filter(touching(span, zone)) : answer.events),
    [asking, answer.events, span, zone],
  );
  return { ...answer, events };
}

function bounded(number: number, least: number, most: number): number {
  return Math.min(Math.max(Math.trunc(number), least), most);
}
