import { type FocusEvent, type KeyboardEvent, useCallback, useEffect, useMemo, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import { addDays, type Slot } from '../format/index.js';
import { canDelete, canMove, type Editing } from '../widgets/editing.js';
import { atWall, wallAt } from '../../core/zone.js';
import { keyOf } from './chip.js';
import type { Layout } from './range.js';

/** Several key presses are one move, sent when no other follows within this time. */
const SENT_AFTER = 800;
const QUARTER = 15 * 60_000;
const DAY = 86_400_000;

interface NudgeOptions {
  events: readonly CalendarEvent[];
  layout: Layout;
  zone: string;
  editing: Editing;
}

/** A move that has not been sent yet. */
interface Nudged {
  from: CalendarEvent;
  to: CalendarEvent;
}

/**
 * Keyboard editing: Alt and the arrow keys move an event, with Shift they change its length, and Delete deletes it.
 */
export function useNudge({ events, layout, zone, editing }: NudgeOptions) {
  const [nudged, setNudged] = useState<Nudged | null>(null);
  /** The event that is moved by keyboard and keeps the focus. */
  const [held, setHeld] = useState<CalendarEvent | null>(null);
  const { change } = editing;
  const send = useCallback(() => {
    if (!nudged) return;
    setNudged(null);
    const { start, end, allDay } = nudged.to;
    if (start !== nudged.from.start || end !== nudged.from.end) change(nudged.from, { start, end, allDay });
  }, [nudged, change]);
  useEffect(() => {
    if (!nudged) return;
    const timer = setTimeout(send, SENT_AFTER);
    return () => {
      clearTimeout(timer);
    };
  }, [nudged, send]);

  const shown = useMemo(
    () => (nudged ? events.map((event) => (keyOf(event) === keyOf(nudged.to) ? nudged.to : event)) : events),
    [events, nudged],
  );
  const onKeyDown = (press: KeyboardEvent) => {
    const event = eventAt(press.target, shown);
    if (!event) return;
    const from = nudged && keyOf(nudged.from) === keyOf(event) ? nudged.from : event;
    if (press.key === 'Delete' || press.key === 'Backspace') {
      if (!canDelete(event)) return;
      press.preventDefault();
      // Deletes the original event and drops the unsent move.
      if (from !== event) {
        setNudged(null);
        setHeld(from);
      }
      editing.remove(from);
      return;
    }
    const slot = press.altKey && canMove(event) ? nudge(event, press, layout, zone) : null;
    if (!slot) return;
    press.preventDefault();
    press.stopPropagation();
    const to = { ...event, ...slot };
    setNudged({ from, to });
    setHeld(to);
  };
  const release = (blur: FocusEvent) => {
    // Null when FullCalendar re-created the event's element.
    if (blur.relatedTarget === null) return;
    if (eventAt(blur.relatedTarget, shown) !== null && keyOfTarget(blur.relatedTarget) === (held && keyOf(held)))
      return;
    send();
    setHeld(null);
  };
  const onPointerDown = () => {
    send();
    setHeld(null);
  };
  return { events: shown, held, moved: held, handlers: { onKeyDown, onBlur: release, onPointerDown } };
}

function keyOfTarget(target: EventTarget | null): string | null {
  if (!(target instanceof Element)) return null;
  const chip = target.closest('.calwire-fc-event')?.querySelector<HTMLElement>('[data-event]');
  return chip?.dataset['event'] ?? null;
}

function eventAt(target: EventTarget | null, events: readonly CalendarEvent[]): CalendarEvent | null {
  const key = keyOfTarget(target);
  return events.find((event) => keyOf(event) === key) ?? null;
}

type Press = Pick<KeyboardEvent, 'key' | 'shiftKey'>;

/** The new time: up and down by a quarter of an hour, in a month by a week; left and right by a day. */
export function nudge(event: CalendarEvent, { key, shiftKey }: Press, layout: Layout, zone: string): Slot | null {
  const isMonth = layout === 'month' || layout === 'dots';
  const side = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
  const down = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0;
  if (side === 0 && down === 0) return null;
  const days = side + (isMonth ? down * 7 : event.allDay ? down : 0);
  const quarters = isMonth || event.allDay ? 0 : down;
  const { start, end, allDay } = event;
  if (allDay) {
    const later = addDays(end, days);
    if (shiftKey) return later > start ? { start, end: later, allDay } : null;
    return { start: addDays(start, days), end: later, allDay };
  }
  const later = (time: string) => instant(laterBy(Date.parse(time), days, quarters, zone));
  if (!shiftKey) return { start: later(start), end: later(end), allDay };
  return Date.parse(later(end)) > Date.parse(start) ? { start, end: later(end), allDay } : null;
}

/** Adds local days, which may have 23 or 25 hours. */
function laterBy(time: number, days: number, quarters: number, zone: string): number {
  if (days === 0) return time + quarters * QUARTER;
  const wall = Date.parse(`${wallAt(zone, time)}Z`) + days * DAY;
  return atWall(zone, new Date(wall).toISOString().slice(0, 16)) + quarters * QUARTER;
}

function instant(time: number): string {
  return new Date(time).toISOString();
}
