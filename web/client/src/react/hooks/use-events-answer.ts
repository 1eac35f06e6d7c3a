import { useCallback, useMemo } from 'react';
import type { UseQueryResult } from '@tanstack/react-query';

import type { CalwireError } from '../../core/error.js';
import type { Event as CalendarEvent, EventList, Freshness } from '../../generated/types.js';
import { overall } from '../../core/occurrence.js';
import type { Present } from '../context.js';
import type { EventsAnswer } from './answers.js';

interface Shown {
  events: CalendarEvent[];
  truncated: boolean;
}

interface Parts {
  present: Present;
  /** The answer from what is known here; null when the server has to be asked. */
  local: Shown | null;
  /** What is known of the answer until the server has told. */
  meanwhile: CalendarEvent[];
  /** The server's answer, where it has to be asked. */
  query: UseQueryResult<EventList, CalwireError>;
  /** Its events, with the edits that are on their way. */
  listed: CalendarEvent[] | undefined;
  asking: boolean;
  calendarIds: string[] | undefined;
}

const NO_EVENTS: CalendarEvent[] = [];
const NO_CALENDARS: readonly Freshness[] = [];

/** Puts together an answer that comes from here or from the server. */
export function useEventsAnswer({
  present,
  local,
  meanwhile,
  query,
  listed,
  asking,
  calendarIds,
}: Parts): EventsAnswer {
  const { state, session } = present;
  const { data, live } = state;
  const asked = asking && !query.isPlaceholderData ? query.data : undefined;
  const list = asked ?? data;
  const connected = list?.connected ?? false;
  const freshness: readonly Freshness[] = asked?.calendars ?? data?.freshness ?? NO_CALENDARS;
  const calendars = useMemo(
    () => freshness.filter(({ calendarId }) => calendarIds?.includes(calendarId) ?? true),
    [freshness, calendarIds],
  );
  const events = (asked && listed) ?? local?.events ?? (meanwhile.length > 0 ? meanwhile : NO_EVENTS);
  const error = asking ? (query.error ?? null) : state.error;
  const nothing = !asked && !local && meanwhile.length === 0;
  const { refetch: ask } = query;
  const refetch = useCallback(async () => {
    await Promise.all([session?.reload(), asking ? ask() : undefined]);
  }, [session, asking, ask]);
  return {
    events,
    truncated: asked?.truncated ?? local?.truncated ?? false,
    connected,
    hasCalendarAccess: list?.hasCalendarAccess ?? false,
    calendars,
    ...(list ? overall(calendars, connected) : { asOf: null, mode: null }),
    live,
    isLoading: nothing && !error && live !== 'signedOut' && live !== 'failed',
    fromSnapshot: !asked && state.source === 'snapshot',
    error,
    refetch,
  };
}
