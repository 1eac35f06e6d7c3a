// The messages that this tab has received, with the changes in them.

import { channelOf, type CalendarEvent, type Message } from '@calwire/client';
import { useCentrifugo, useEvents, useNow, type LiveState } from '@calwire/client/react';
import { useEffect, useMemo, useRef, useState } from 'react';

import { changesOf, seriesKey, type EventsBySeries, type EventChange } from './event-changes';

export interface Received {
  message: Message;
  /** By this browser's clock, in milliseconds since 1970. */
  at: number;
  changes: EventChange[];
}

export interface Messages {
  state: LiveState;
  /** Newest first. */
  received: Received[];
  /** All messages since the page was opened. `received` has only the last ones. */
  count: number;
}

/** As many as the inspector shows. */
const MAX_RECEIVED = 60;

const DAY = 86_400_000;

/** Within the live window, with a day to spare, so that reading it needs no request. */
const WINDOW_DAYS = { before: 5, after: 40 };

export function useMessages(userId: string | null): Messages {
  const [received, setReceived] = useState<Received[]>([]);
  const [count, setCount] = useState(0);
  const known = useEventsBySeries();

  const { state } = useCentrifugo<Message>(userId === null ? null : channelOf(userId), (message) => {
    const changes = changesOf(message, known.current);
    const entry = { message, changes, at: Date.now() };
    setReceived((before) => [entry, ...before].slice(0, MAX_RECEIVED));
    setCount((before) => before + 1);
  });

  return { state, received, count };
}

/** The events before the next message, to compare it with. */
function useEventsBySeries(): { current: EventsBySeries } {
  const today = Math.floor(useNow(60_000).getTime() / DAY) * DAY;
  const range = useMemo(
    () => ({
      from: new Date(today - WINDOW_DAYS.before * DAY),
      to: new Date(today + WINDOW_DAYS.after * DAY),
    }),
    [today],
  );
  const { events } = useEvents(range);
  const known = useRef<EventsBySeries>(new Map());
  useEffect(() => {
    known.current = bySeries(events);
  }, [events]);
  return known;
}

function bySeries(events: CalendarEvent[]): EventsBySeries {
  const all: EventsBySeries = new Map();
  for (const event of events) {
    const key = seriesKey(event.calendarId, event.recurringEventId ?? event.eventId);
    const others = all.get(key);
    if (others) others.push(event);
    else all.set(key, [event]);
  }
  return all;
}
