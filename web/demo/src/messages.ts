// What came over the socket in this tab, and what it means to a person.

import { channelOf, type CalendarEvent, type Message } from '@calwire/client';
import { useCentrifugo, useEvents, useNow, type LiveState } from '@calwire/client/react';
import { useEffect, useMemo, useRef, useState } from 'react';

import { newsOf, seriesKey, type Known, type News } from './news';

export interface Received {
  message: Message;
  /** By this browser's clock, in milliseconds. */
  at: number;
  news: News[];
}

export interface Messages {
  state: LiveState;
  /** The newest first. */
  received: Received[];
  /** How many came since the page was opened; `received` keeps the last ones. */
  count: number;
}

/** As many as the inspector shows. */
const KEPT = 60;

const DAY = 86_400_000;

/** Within the window that the live state holds, with room for a day that ends meanwhile: reading it asks nobody. */
const WINDOW_DAYS = { before: 5, after: 40 };

export function useMessages(userId: string | null): Messages {
  const [received, setReceived] = useState<Received[]>([]);
  const [count, setCount] = useState(0);
  const known = useKnown();

  const { state } = useCentrifugo<Message>(userId === null ? null : channelOf(userId), (message) => {
    const news = newsOf(message, known.current);
    const entry = { message, news, at: Date.now() };
    setReceived((before) => [entry, ...before].slice(0, KEPT));
    setCount((before) => before + 1);
  });

  return { state, received, count };
}

/** The events as they were before the next message: what a change is told in relation to. */
function useKnown(): { current: Known } {
  const today = Math.floor(useNow(60_000).getTime() / DAY) * DAY;
  const range = useMemo(
    () => ({
      from: new Date(today - WINDOW_DAYS.before * DAY),
      to: new Date(today + WINDOW_DAYS.after * DAY),
    }),
    [today],
  );
  const { events } = useEvents(range);
  const known = useRef<Known>(new Map());
  useEffect(() => {
    known.current = bySeries(events);
  }, [events]);
  return known;
}

function bySeries(events: CalendarEvent[]): Known {
  const all: Known = new Map();
  for (const event of events) {
    const key = seriesKey(event.calendarId, event.recurringEventId ?? event.eventId);
    const others = all.get(key);
    if (others) others.push(event);
    else all.set(key, [event]);
  }
  return all;
}
