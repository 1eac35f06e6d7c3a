import { useMemo } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { useCalendars } from '../hooks/index.js';
import { isWritable } from './rights.js';

/** The calendars that events can be added to, and the one that a new event is for unless another is chosen. */
export function useWritable(): { all: CalendarInfo[]; writable: CalendarInfo[]; first: string } {
  const { calendars } = useCalendars();
  return useMemo(() => {
    const writable = calendars.filter(isWritable);
    const first = writable.find(({ primary }) => primary) ?? writable[0];
    return { all: calendars, writable, first: first?.id ?? '' };
  }, [calendars]);
}
