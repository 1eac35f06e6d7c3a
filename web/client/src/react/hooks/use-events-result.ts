import { useCallback, useMemo } from 'react';
import type { UseQueryResult } from '@tanstack/react-query';

import type { CalwireError } from '../../core/error.js';
import { overall } from '../../core/occurrence.js';
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
  /** The events that are known already, shown while the server's answer is loading. */
  interim: CalendarEvent[];
  /** The server's answer, when it is needed. */
  query: UseQueryResult<EventList, CalwireError>;
  /** Its events with the user's unsent and unconfirmed edits applied. */
  listed: CalendarEvent[] | undefined;
  fromServer: boolean;
  calendarIds: string[] | undefined;
}

const NO_EVENTS: CalendarEvent[] = [];
const NO_CALENDARS: readonly Freshness[] = [];

/** Combines live data and the server's answer into one result. */
export function useEventsResult({
  current,
  local,
  interim,
  query,
  listed,
  fromServer,
  calendarIds,
}: Parts): UseEventsResult {
  const { state, session } = current;
  const { data, live } = state;
  const loaded = fromServer && !query.isPlaceholderData ? query.data : undefined;
  const source = loaded ?? data;
  const connected = source?.connected ?? false;
  const freshness: readonly Freshness[] = loaded?.calendars ?? data?.freshness ?? NO_CALENDARS;
  const calendars = useMemo(
    () => freshness.filter(({ calendarId }) => calendarIds?.includes(calendarId) ?? true),
    [freshness, calendarIds],
  );
  const events = (loaded && listed) ?? local?.events ?? (interim.length > 0 ? interim : NO_EVENTS);
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
