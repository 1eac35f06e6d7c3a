import { useMemo } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { useCalendars } from '../hooks/index.js';
import { isWritable } from './permissions.js';

/** The calendars that accept new events, and the default one. */
export function useWritable(): { all: CalendarInfo[]; writable: CalendarInfo[]; first: string } {
  const { calendars } = useCalendars();
  return useMemo(() => {
    const writable = calendars.filter(isWritable);
    const first = writable.find(({ primary }) => primary) ?? writable[0];
    return { all: calendars, writable, first: first?.id ?? '' };
  }, [calendars]);
}
