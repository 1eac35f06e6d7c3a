import { useMemo, useSyncExternalStore } from 'react';

import { keys } from '../../core/keys.js';
import { overall } from '../../core/occurrence.js';
import type { Session } from '../../core/session.js';
import type { CalendarInfo } from '../../generated/types.js';
import { useSession } from '../context.js';
import type { LiveResult } from './live-result.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useQueryState } from './use-query-state.js';
import { useSelectCalendars } from './use-select-calendars.js';

export interface UseCalendarsResult extends LiveResult {
  calendars: CalendarInfo[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** Whether these calendars are kept current and shown. The selection of the others does not change. */
  select(ids: string[], selected: boolean): Promise<void>;
}

const NO_CALENDARS: CalendarInfo[] = [];
const NONE_SELECTING: ReadonlyMap<string, boolean> = new Map();
const neverChanges = () => () => undefined;

/** The user's calendars, and which of them are kept current and shown. */
export function useCalendars(): UseCalendarsResult {
  const current = useSession();
  const { session, userId, state } = current;
  const query = useCalwireQuery(current, {
    key: keys.calendars(userId),
    load: async (api, signal) => {
      const list = await api.calendar.google.listCalendars.query(undefined, { signal });
      session?.remember();
      return list;
    },
  });
  const queryState = useQueryState(current, query);
  const { select, error: selectError } = useSelectCalendars();

  const selecting = useSelecting(session);
  const listed = query.data?.calendars ?? NO_CALENDARS;
  const freshness = state.data?.freshness;
  const calendars = useMemo(
    () =>
      listed.map((calendar) => ({
        ...calendar,
        selected: selecting.get(calendar.id) ?? calendar.selected,
        freshness: freshness?.find(({ calendarId }) => calendarId === calendar.id) ?? calendar.freshness,
      })),
    [listed, selecting, freshness],
  );
  const connected = query.data?.connected ?? state.data?.connected ?? false;
  const shown = calendars.filter((calendar) => calendar.selected).flatMap((calendar) => calendar.freshness ?? []);
  return {
    ...queryState,
    ...(query.data ? overall(shown, connected) : { asOf: null, mode: null }),
    error: selectError ?? queryState.error,
    calendars,
    connected,
    hasCalendarAccess: query.data?.hasCalendarAccess ?? state.data?.hasCalendarAccess ?? false,
    select,
  };
}

function useSelecting(session: Session | null): ReadonlyMap<string, boolean> {
  const get = session ? session.selecting.get : () => NONE_SELECTING;
  return useSyncExternalStore(session?.selecting.subscribe ?? neverChanges, get, get);
}
