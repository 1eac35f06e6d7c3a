import { useMemo, useState } from 'react';

import { mergeCopies } from '../../core/copies.js';
import { keys } from '../../core/keys.js';
import { inOrder, touching } from '../../core/occurrence.js';
import { overlaidList } from '../../core/overlay.js';
import { covers, eventsWithin, willCover } from '../../core/upcoming.js';
import { instantOf, localZone } from '../../core/zone.js';
import type { Event as CalendarEvent } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { EventsAnswer } from './answers.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useEventsAnswer } from './use-events-answer.js';
import { useStableIds } from './use-stable.js';

export interface EventsOptions {
  /** Inclusive: an instant (a Date, or RFC 3339), or a date (`2026-11-22`), which is the begin of that day. */
  from: string | Date;
  /** Exclusive, as `from`. */
  to: string | Date;
  /** Default: the selected calendars. */
  calendarIds?: string[] | undefined;
  /** Which days all-day events are on, by IANA name. Default: the browser's zone. */
  timeZone?: string | undefined;
}

const NONE: CalendarEvent[] = [];

/** What touches `[from, to)`: within the weeks around today without a request, further away from the server's mirror. */
export function useEvents(options: EventsOptions): EventsAnswer {
  const present = usePresent();
  const { userId, state } = present;
  const calendarIds = useStableIds(options.calendarIds);
  const zone = options.timeZone ?? localZone();
  const from = instantOf(options.from, zone);
  const to = instantOf(options.to, zone);
  if (!(from < to)) throw new RangeError('useEvents: `from` has to be a time before `to`');
  const { data } = state;
  const [mountedAt] = useState(() => Date.now());

  const span = useMemo(() => ({ from, to }), [from, to]);
  const local = useMemo(
    () =>
      data && covers(data, span, calendarIds)
        ? { events: eventsWithin(data, span, zone, calendarIds), truncated: false }
        : null,
    [data, span, zone, calendarIds],
  );
  // Before the first snapshot is here, only what it will not have is asked for.
  const asking = !local && (state.source === 'server' || !willCover(mountedAt, span));
  const key = useMemo(() => {
    const input = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), timeZone: zone };
    return keys.events(userId, calendarIds ? { ...input, calendarIds } : input);
  }, [userId, from, to, zone, calendarIds]);
  const query = useCalwireQuery(present, {
    key,
    ask: (api, signal) => api.calendar.google.getEvents.query(key[3], { signal }),
    enabled: asking,
    keepLast: true,
  });

  const { writes } = state.edits;
  const asked = query.data?.events;
  const listed = useMemo(
    () => asked && overlaidList(asked, writes, { span, zone, calendarIds, data }),
    [asked, writes, span, zone, calendarIds, data],
  );
  const last = asking && query.isPlaceholderData ? query.data.events : undefined;
  const meanwhile = useMemo(() => {
    if (local) return NONE;
    const known = data ? eventsWithin(data, span, zone, calendarIds) : NONE;
    const shown = new Set(known.map(identityOf));
    const kept = (last ?? NONE).filter(touching(span, zone)).filter((event) => !shown.has(identityOf(event)));
    return mergeCopies(inOrder([...known, ...kept], zone));
  }, [local, data, span, zone, calendarIds, last]);
  return useEventsAnswer({ present, local, meanwhile, query, listed, asking, calendarIds });
}

function identityOf({ calendarId, id }: CalendarEvent): string {
  return `${calendarId} ${id}`;
}
