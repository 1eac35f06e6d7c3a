import type { CalendarActivity } from '@calwire/client';
import { type CalwireError, useSyncStatus } from '@calwire/client/react';
import { useEffect, useRef, useState } from 'react';

export type SyncPhase = 'idle' | 'asking' | 'done' | 'slow' | 'failed';

/** How often it is looked whether the pull has come, in milliseconds. A pull that finds nothing new sends no message. */
const LOOK_EVERY = 400;
/** Until then a pull usually has come; afterwards its own line says what holds it up. */
const PATIENCE = 15_000;
/** How long the outcome stays to be read. */
const TOLD_FOR = 4_000;

/** How far each calendar was when the pull was asked for. */
type Before = Map<string, string>;

interface Asked {
  phase: SyncPhase;
  before: Before;
  /** What was wrong already when the pull was asked for. */
  error: CalwireError | null;
}

const IDLE: Asked = { phase: 'idle', before: new Map(), error: null };

/** Asks for a pull of these calendars, or of everything, and follows it until it has come. */
export function useSyncNow(calendars: CalendarActivity[], refetch: () => Promise<void>, all: boolean) {
  const status = useSyncStatus();
  const [asked, setAsked] = useState(IDLE);
  const arrived = calendars.every((each) => asked.before.get(each.calendarId) !== progressOf(each));
  // `syncNow` does not reject: why it was refused is in the answer of the hook.
  const refused = status.error !== null && status.error !== asked.error;
  const soFar: SyncPhase = refused ? 'failed' : arrived ? 'done' : 'asking';
  const phase = asked.phase === 'asking' ? soFar : asked.phase;
  useLooking(phase === 'asking', refetch, () => setAsked({ ...IDLE, phase: 'slow' }));
  useForgetting(phase, () => setAsked(IDLE));

  const ask = async () => {
    const before = new Map(calendars.map((each) => [each.calendarId, progressOf(each)]));
    setAsked({ phase: 'asking', before, error: status.error });
    await status.syncNow(all ? undefined : calendars.map(({ calendarId }) => calendarId));
  };
  return { phase, ask };
}

/** Another text when a pull has ended, well or not. By content, because the clocks of two machines are not one. */
function progressOf({ asOf, lastError, rounds }: CalendarActivity): string {
  return [asOf, lastError?.at, rounds[0]?.number, rounds[0]?.lastAt].join(' ');
}

function useLooking(active: boolean, look: () => Promise<void>, onGiveUp: () => void): void {
  const latest = useLatest({ look, onGiveUp });
  useEffect(() => {
    if (!active) return;
    const looking = setInterval(() => void latest.current.look(), LOOK_EVERY);
    const patience = setTimeout(() => latest.current.onGiveUp(), PATIENCE);
    return () => {
      clearInterval(looking);
      clearTimeout(patience);
    };
  }, [active, latest]);
}

function useForgetting(phase: SyncPhase, forget: () => void): void {
  const latest = useLatest(forget);
  useEffect(() => {
    if (phase === 'idle' || phase === 'asking') return;
    const timer = setTimeout(() => latest.current(), TOLD_FOR);
    return () => clearTimeout(timer);
  }, [phase, latest]);
}

/** What timers call: always of the last render, without being set anew by it. */
function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
