import type { CalendarActivity } from '@calwire/client';
import { type CalwireError, useSyncStatus } from '@calwire/client/react';
import { useEffect, useRef, useState } from 'react';

export type SyncPhase = 'idle' | 'syncing' | 'done' | 'slow' | 'failed';

/** The polling interval in milliseconds. A pull without changes sends no message. */
const POLL_EVERY = 400;
/** A pull usually finishes within this time. If not, its entry shows the reason. */
const TIMEOUT = 15_000;
/** How long the outcome is shown. */
const SHOWN_FOR = 4_000;

/** The progress of each calendar when the pull was requested. */
type Before = Map<string, string>;

interface Sync {
  phase: SyncPhase;
  before: Before;
  /** An earlier error, to distinguish it from this request's. */
  error: CalwireError | null;
}

const IDLE: Sync = { phase: 'idle', before: new Map(), error: null };

/** Requests a pull of these calendars, or of all, and polls until it has finished. */
export function useSyncNow(calendars: CalendarActivity[], refetch: () => Promise<void>, all: boolean) {
  const status = useSyncStatus();
  const [sync, setSync] = useState(IDLE);
  const finished = calendars.every((each) => sync.before.get(each.calendarId) !== progressOf(each));
  // `syncNow` never rejects: a failure is in the hook's result.
  const failed = status.error !== null && status.error !== sync.error;
  const current: SyncPhase = failed ? 'failed' : finished ? 'done' : 'syncing';
  const phase = sync.phase === 'syncing' ? current : sync.phase;
  usePolling(phase === 'syncing', refetch, () => setSync({ ...IDLE, phase: 'slow' }));
  useReset(phase, () => setSync(IDLE));

  const start = async () => {
    const before = new Map(calendars.map((each) => [each.calendarId, progressOf(each)]));
    setSync({ phase: 'syncing', before, error: status.error });
    await status.syncNow(all ? undefined : calendars.map(({ calendarId }) => calendarId));
  };
  return { phase, start };
}

/** A text that changes with every finished pull. Independent of clocks, which may differ between machines. */
function progressOf({ asOf, lastError, rounds }: CalendarActivity): string {
  return [asOf, lastError?.at, rounds[0]?.number, rounds[0]?.lastAt].join(' ');
}

function usePolling(active: boolean, poll: () => Promise<void>, onTimeout: () => void): void {
  const latest = useLatest({ poll, onTimeout });
  useEffect(() => {
    if (!active) return;
    const interval = setInterval(() => void latest.current.poll(), POLL_EVERY);
    const timeout = setTimeout(() => latest.current.onTimeout(), TIMEOUT);
    return () => {
      clearInterval(interval);
      clearTimeout(timeout);
    };
  }, [active, latest]);
}

function useReset(phase: SyncPhase, reset: () => void): void {
  const latest = useLatest(reset);
  useEffect(() => {
    if (phase === 'idle' || phase === 'syncing') return;
    const timer = setTimeout(() => latest.current(), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [phase, latest]);
}

/** The value of the latest render, for timers that must not restart with each render. */
function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
