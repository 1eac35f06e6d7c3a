import type { CalendarOptions, DateClickInfo, EventChangeInfo } from '@fullcalendar/react';
import interactionPlugin from '@fullcalendar/react/interaction';
import { type ReactElement, useEffect, useRef } from 'react';

import type { CalendarEvent } from '../../index.js';
import { addDays, type Slot } from '../format/index.js';
import { canMove, type Editing } from '../widgets/editing.js';
import { titleOf, timesOf } from '../widgets/event-text.js';
import { eventOf, keyOf } from './chip.js';
import Grid, { type GridProps } from './grid.js';
import { useNudge } from './use-nudge.js';

const PLUGINS = [interactionPlugin];
const HOUR = 3_600_000;
const KEYS = 'Alt+ArrowUp Alt+ArrowDown Alt+ArrowLeft Alt+ArrowRight Alt+Shift+ArrowUp Alt+Shift+ArrowDown Delete';

type EditableGridProps = GridProps & { editing: Editing };

/** A grid in which events are created, moved and resized, by pointer and by keyboard. */
export default function EditableGrid({ editing, ...props }: EditableGridProps): ReactElement {
  const { layout, words, moment } = props;
  const host = useRef<HTMLDivElement>(null);
  const nudge = useNudge({ events: props.events, layout, zone: words.formats.timeZone, editing });
  useFocusKept(host, nudge.held);
  const moved = nudge.moved;
  return (
    <div ref={host} className="calwire-fc-host" {...nudge.handlers}>
      <Grid
        {...props}
        events={nudge.events}
        plugins={PLUGINS}
        options={layout === 'dots' ? READ_ONLY : optionsOf(editing)}
        stateOf={editing.stateOf}
        isMovable={canMove}
      />
      <p className="calwire-hidden" role="status">
        {moved &&
          words.labels.moved(
            titleOf(moved, words.labels),
            `${words.formats.daysOf(moved, moment.today)}, ${timesOf(moved, words)}`,
          )}
      </p>
    </div>
  );
}

/** In a narrow month a touch selects a day, so nothing is editable. */
const READ_ONLY: CalendarOptions = {};

function optionsOf(editing: Editing): CalendarOptions {
  const change = ({ event, revert }: EventChangeInfo) => {
    if (editing.change(eventOf(event), slotOf(event)) === 'asked') revert();
  };
  return {
    selectable: true,
    selectMirror: true,
    // A shorter drag is a click.
    selectMinDistance: 6,
    longPressDelay: 400,
    editable: true,
    eventResizableFromStart: true,
    forceEventDuration: true,
    snapDuration: '00:15:00',
    select: (info) => {
      info.view.calendar.unselect();
      editing.add(slotOf(info));
    },
    dateClick: (info) => {
      editing.add(clickedSlot(info));
    },
    eventDrop: change,
    eventResize: change,
    columnEventBeforeClass: ({ isStartResizable }) => (isStartResizable ? handle('top') : ''),
    columnEventAfterClass: ({ isEndResizable }) => (isEndResizable ? handle('bottom') : ''),
    rowEventBeforeClass: ({ isStartResizable }) => (isStartResizable ? handle('start') : ''),
    rowEventAfterClass: ({ isEndResizable }) => (isEndResizable ? handle('end') : ''),
    eventDidMount: ({ el }) => {
      el.setAttribute('aria-keyshortcuts', KEYS);
    },
  };
}

function handle(edge: 'top' | 'bottom' | 'start' | 'end'): string {
  return `calwire-fc-handle calwire-fc-handle-${edge}`;
}

interface SelectedTimes {
  startStr: string;
  endStr: string;
  allDay: boolean;
}

function slotOf({ startStr, endStr, allDay }: SelectedTimes): Slot {
  if (allDay) return { start: startStr.slice(0, 10), end: endStr.slice(0, 10), allDay };
  return { start: instant(Date.parse(startStr)), end: instant(Date.parse(endStr)), allDay };
}

/** The clicked day, or one hour from the clicked time. */
function clickedSlot({ dateStr, allDay }: DateClickInfo): Slot {
  const day = dateStr.slice(0, 10);
  if (allDay) return { start: day, end: addDays(day, 1), allDay };
  const start = Date.parse(dateStr);
  return { start: instant(start), end: instant(start + HOUR), allDay };
}

function instant(time: number): string {
  return new Date(time).toISOString();
}

/** Restores the focus of the event that is moved by keyboard: FullCalendar may re-create its element. */
function useFocusKept(host: { current: HTMLElement | null }, held: CalendarEvent | null): void {
  useEffect(() => {
    if (!held) return;
    const focus = () => {
      const chip = host.current?.querySelector(`[data-event="${CSS.escape(keyOf(held))}"]`);
      const event = chip?.closest<HTMLElement>('[tabindex]');
      const lost = document.activeElement === null || document.activeElement === document.body;
      if (event && lost) event.focus({ preventScroll: true });
    };
    focus();
    const frame = requestAnimationFrame(focus);
    return () => {
      cancelAnimationFrame(frame);
    };
  });
}
