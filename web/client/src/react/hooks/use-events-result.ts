import { useCallback, useMemo } from 'react';
import type { UseQueryResult } from '@tanstack/react-query';

import { mergeDuplicates } from '../../core/duplicates.js';
import type { CalwireError } from '../../core/error.js';
import { inOrder, overall, type Span, touching } from '../../core/occurrence.js';
import { overlaidList } from '../../core/overlay.js';
import type { ShownData } from '../../core/reducer.js';
import type { SessionState } from '../../core/session.js';
import { type EventFilter, eventsWithin } from '../../core/upcoming.js';
import type { Event as CalendarEvent, EventList, Freshness } from '../../generated/types.js';
import type { UseSessionResult } from '../context.js';
import type { LiveResult } from './live-result.js';

export interface UseEventsResult extends LiveResult {
  events: CalendarEvent[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** There are more events than these. */
  truncated: boolean;
  calendars: Freshness[];
}

interface LocalEvents {
  events: CalendarEvent[];
  truncated: boolean;
}

interface Parts {
  current: UseSessionResult;
  /** The result computed from live data; null when only the server can answer. */
  local: LocalEvents | null;
  /** The server's answer, when it is needed. */
  query: UseQueryResult<EventList, CalwireError>;
  fromServer: boolean;
  span: Span;
  zone: string;
  filter: EventFilter;
  limit?: number;
}

const NO_EVENTS: CalendarEvent[] = [];
const NO_CALENDARS: readonly Freshness[] = [];

/** Combines live data and the server's answer into one result. */
export function useEventsResult({ current, local, query, fromServer, ...list }: Parts): UseEventsResult {
  const { state, session } = current;
  const { data, live } = state;
  const { calendarIds } = list.filter;
  const loaded = fromServer && !query.isPlaceholderData ? query.data : undefined;
  const previous = fromServer && query.isPlaceholderData ? query.data.events : NO_EVENTS;
  const listed = useListed(loaded?.events, state, list);
  const interim = useInterim(local ? null : previous, data, list);
  const source = loaded ?? data;
  const connected = source?.connected ?? false;
  const freshness: readonly Freshness[] = loaded?.calendars ?? data?.freshness ?? NO_CALENDARS;
  const calendars = useMemo(
    () => freshness.filter(({ calendarId }) => calendarIds?.includes(calendarId) ?? true),
    [freshness, calendarIds],
  );
  const events = listed ?? local?.events ?? interim;
  const error = fromServer ? (query.error ?? null) : state.error;
  const isEmpty = !loaded && !local && interim.length === 0;
  const { refetch: refetchQuery } = query;
  const refetch = useCallback(async () => {
    await Promise.all([session?.reload(), fromServer ? refetchQuery() : undefined]);
  }, [session, fromServer, refetchQuery]);
  return {
    events,
    truncated: loaded?.truncated ?? local?.truncated ?? false,
    connected,
    hasCalendarAccess: source?.hasCalendarAccess ?? false,
    calendars,
    ...(source ? overall(calendars, connected) : { asOf: null, mode: null }),
    live,
    isLoading: isEmpty && !error && live !== 'signedOut' && live !== 'failed',
    fromSnapshot: !loaded && state.source === 'snapshot',
    error,
    refetch,
  };
}

type List = Pick<Parts, 'span' | 'zone' | 'filter' | 'limit'>;

/** The server's events with the user's unsent and unconfirmed edits applied. */
function useListed(loaded: CalendarEvent[] | undefined, { data, edits }: SessionState, list: List) {
  const { span, zone, filter, limit } = list;
  const { writes } = edits;
  return useMemo(
    () => loaded && overlaidList(loaded, writes, { span, zone, ...filter, data }).slice(0, limit),
    [loaded, writes, span, zone, filter, data, limit],
  );
}

/** The events that are known already, and previous ones, to show while the server's answer is loading. */
function useInterim(previous: CalendarEvent[] | null, data: ShownData | null, { span, zone, filter, limit }: List) {
  return useMemo(() => {
    if (!previous) return NO_EVENTS;
    const known = data ? eventsWithin(data, span, zone, filter) : NO_EVENTS;
    const shown = new Set(known.map(identityOf));
    const kept = previous.filter(touching(span, zone)).filter((event) => !shown.has(identityOf(event)));
    return mergeDuplicates(inOrder([...known, ...kept], zone)).slice(0, limit);
  }, [previous, data, span, zone, filter, limit]);
}

function identityOf({ calendarId, id }: CalendarEvent): string {
  return `${calendarId} ${id}`;
}
