import { useMemo, useSyncExternalStore } from 'react';

import { keys } from '../../core/keys.js';
import { overall } from '../../core/occurrence.js';
import type { Session } from '../../core/session.js';
import type { CalendarInfo } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { CalendarsAnswer } from './answers.js';
import { useCalwireQuery } from './use-calwire-query.js';
import { useList } from './use-list.js';
import { useSelectCalendars } from './use-select-calendars.js';

const NO_CALENDARS: CalendarInfo[] = [];
const NONE_SELECTING: ReadonlyMap<string, boolean> = new Map();
const nothingToHear = () => () => undefined;

/** The user's calendars, and which of them are kept current and shown. */
export function useCalendars(): CalendarsAnswer {
  const present = usePresent();
  const { session, userId, state } = present;
  const query = useCalwireQuery(present, {
    key: keys.calendars(userId),
    ask: async (api, signal) => {
      const list = await api.calendar.google.listCalendars.query(undefined, { signal });
      session?.remember();
      return list;
    },
  });
  const list = useList(present, query);
  const { select, error: refused } = useSelectCalendars();

  const selecting = useSelecting(session);
  const told = query.data?.calendars ?? NO_CALENDARS;
  const freshness = state.data?.freshness;
  const calendars = useMemo(
    () =>
      told.map((calendar) => ({
        ...calendar,
        selected: selecting.get(calendar.id) ?? calendar.selected,
        freshness: freshness?.find(({ calendarId }) => calendarId === calendar.id) ?? calendar.freshness,
      })),
    [told, selecting, freshness],
  );
  const connected = query.data?.connected ?? state.data?.connected ?? false;
  const shown = calendars.filter((calendar) => calendar.selected).flatMap((calendar) => calendar.freshness ?? []);
  return {
    ...list,
    ...(query.data ? overall(shown, connected) : { asOf: null, mode: null }),
    error: refused ?? list.error,
    calendars,
    connected,
    hasCalendarAccess: query.data?.hasCalendarAccess ?? state.data?.hasCalendarAccess ?? false,
    select,
  };
}

function useSelecting(session: Session | null): ReadonlyMap<string, boolean> {
  const get = session ? session.selecting.get : () => NONE_SELECTING;
  return useSyncExternalStore(session?.selecting.subscribe ?? nothingToHear, get, get);
}
