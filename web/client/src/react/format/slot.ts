import { atWall, dateAt } from '../../core/zone.js';

/** A selected time. */
export interface Slot {
  /** An instant, or a date when `allDay`. */
  start: string;
  /** Exclusive. */
  end: string;
  allDay: boolean;
}

/** The default time of a new event: the next half hour today, 9:00 on another day. */
export function nextSlot(now: Date, day: string | null, zone: string): Slot {
  const half = 30 * 60_000;
  const ahead = Math.ceil((now.getTime() + 1) / half) * half;
  const start = day === null || dateAt(zone, ahead) === day ? ahead : atWall(zone, `${day}T09:00`);
  return { start: new Date(start).toISOString(), end: new Date(start + 2 * half).toISOString(), allDay: false };
}
