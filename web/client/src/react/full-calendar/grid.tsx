import FullCalendar, {
  type CalendarOptions,
  type DayCellInfo,
  type DayHeaderInfo,
  type EventInput,
  type PluginInput,
  useCalendarController,
} from '@fullcalendar/react';
import dayGridPlugin from '@fullcalendar/react/daygrid';
import timeGridPlugin from '@fullcalendar/react/timegrid';
import { type ReactElement, useEffect, useMemo, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import { type DayString, isOver } from '../format/index.js';
import type { Moment, Palette, Words } from '../widgets/base.js';
import type { Editing } from '../widgets/editing.js';
import { nameOf } from '../widgets/event-text.js';
import type { BusyOverlay } from '../widgets/busy-overlay.js';
import { groupByDay } from '../widgets/group-by-day.js';
import { BusyBlock, busyInputs } from './busy.js';
import { Chip, type EditPhase, eventOf, keyOf } from './chip.js';
import { type Layout, NARROW_DAYS, type Range } from './range.js';

export interface GridProps {
  layout: Layout;
  date: DayString;
  range: Range;
  firstWeekday: number;
  events: readonly CalendarEvent[];
  busy: BusyOverlay;
  moment: Moment;
  palette: Palette;
  words: Words;
  onOpen: (event: CalendarEvent) => void;
  /** The user asked for all events of a day. */
  onDay: (day: DayString) => void;
  /** FullCalendar plugins and options of the editable grid. */
  plugins?: PluginInput[];
  options?: CalendarOptions;
  stateOf?: Editing['stateOf'];
  isMovable?: (event: CalendarEvent) => boolean;
}

const VIEWS: Readonly<Record<Layout, string>> = {
  week: 'timeGridWeek',
  days: 'timeGridDays',
  month: 'dayGridMonth',
  dots: 'dayGridMonth',
};
const PLUGINS = [dayGridPlugin, timeGridPlugin];
/** Without a return value FullCalendar opens its popover, and for a name that view. With `true` it does neither. */
const HANDLED = true as unknown as string;
/** The maximum number of dots in a day. */
const DOTS = 4;

/** FullCalendar's grid and layout, without its themes. */
export default function Grid(props: GridProps): ReactElement {
  const { layout, date, events, busy, words, moment, stateOf, isMovable } = props;
  const controller = useCalendarController();
  const inputs = useMemo(
    () =>
      layout === 'dots'
        ? []
        : [
            ...busyInputs(busy),
            ...events.map((event) =>
              inputOf(event, words, moment, stateOf?.(event) ?? null, isMovable?.(event) ?? false),
            ),
          ],
    [layout, events, busy, words, moment, stateOf, isMovable],
  );

  const plugins = useMemo(() => [...PLUGINS, ...(props.plugins ?? [])], [props.plugins]);
  const [scrollTime] = useState(() => firstHour(words, moment));

  useEffect(() => {
    controller.gotoDate(date);
  }, [controller, date]);

  return (
    <FullCalendar
      // Remounts on a change of layout: FullCalendar's measurements of the former one do not apply.
      key={layout}
      controller={controller}
      plugins={plugins}
      initialView={VIEWS[layout]}
      initialDate={date}
      events={inputs}
      scrollTime={scrollTime}
      {...LOOKS}
      {...behaviourOf(props)}
      {...props.options}
    />
  );
}

/** The hour at the top: the working hours, or the current time when it is earlier or later. */
function firstHour({ formats }: Words, { now }: Moment): string {
  const hour = formats.hourOf(now);
  const inView = hour >= 8 && hour < 17;
  const first = inView ? 7 : Math.min(Math.max(hour - 2, 0), 14);
  // A quarter earlier, because the label of the hour overlaps its line.
  return first === 0 ? '00:00:00' : `${String(first - 1).padStart(2, '0')}:45:00`;
}

function behaviourOf(props: GridProps): CalendarOptions {
  const { layout, words, firstWeekday, onOpen, onDay } = props;
  const { formats, labels } = words;
  return {
    views: { timeGridDays: { type: 'timeGrid', duration: { days: NARROW_DAYS } } },
    timeZone: formats.timeZone,
    locale: formats.locale ?? new Intl.DateTimeFormat().resolvedOptions().locale,
    firstDay: firstWeekday,
    allDayText: labels.allDay,
    navLinks: layout !== 'week' && layout !== 'days',
    navLinkHint: (dateText: string) => labels.eventsOn(dateText),
    navLinkDayClick: (day: Date) => {
      onDay(formats.dayOf(day));
    },
    moreLinkText: labels.moreEvents,
    moreLinkHint: labels.moreEvents,
    moreLinkClick: ({ date: day, jsEvent }) => {
      focusOn(jsEvent.target);
      onDay(formats.dayOf(day));
      return HANDLED;
    },
    eventClick: ({ event, jsEvent, el }) => {
      jsEvent.preventDefault();
      focusOn(el);
      onOpen(eventOf(event));
    },
    backgroundEventContent: ({ event }) => <BusyBlock event={event} busy={props.busy} words={words} />,
    eventContent: (info) => <Chip info={info} palette={props.palette} words={words} />,
    dayHeaderContent: (info) => <DayName info={info} layout={layout} />,
    // Side by side in wide columns. In narrow ones events overlap, which leaves room for titles.
    slotEventOverlap: layout === 'days',
    dayLaneDidMount: ({ el, date }) => {
      makeReachable(el, formats.shortDay(formats.dayOf(date)));
    },
    dayCellTopClass: layout === 'dots' ? 'calwire-fc-cell-top calwire-fc-cell-top-dots' : 'calwire-fc-cell-top',
    dayCellTopInnerClass: layout === 'dots' ? 'calwire-fc-cell-dots' : 'calwire-fc-cell-number',
    ...(layout === 'dots' && { dayCellTopContent: dotsContent(props) }),
  };
}

/** Focuses the clicked event, so that the dialog returns the focus to it. */
function focusOn(target: EventTarget | null): void {
  if (target instanceof Element) target.closest<HTMLElement>('[tabindex]')?.focus({ preventScroll: true });
}

/**
 * Makes the first day focusable: the hours can only be scrolled by keyboard from within, and a week without events has no
 * other focusable element.
 */
function makeReachable(lane: HTMLElement, day: string): void {
  if (lane.previousElementSibling?.getAttribute('role') === 'cell') return;
  lane.tabIndex = 0;
  lane.ariaLabel = day;
}

function inputOf(
  event: CalendarEvent,
  words: Words,
  { now, today }: Moment,
  state: EditPhase,
  isMovable: boolean,
): EventInput {
  const doing = state === 'pending' ? words.labels.isPending : state === 'sending' ? words.labels.isSending : null;
  return {
    id: keyOf(event),
    // For screen readers. The chip shows the visible text.
    title: [nameOf(event, today, words), doing].filter(Boolean).join(', '),
    start: event.start,
    end: event.end,
    allDay: event.allDay,
    startEditable: isMovable,
    durationEditable: isMovable,
    extendedProps: { event, isOver: isOver(event, now, today), state },
  };
}

function DayName({ info, layout }: { info: DayHeaderInfo; layout: Layout }): ReactElement {
  const withNumber = layout === 'week' || layout === 'days';
  return (
    <span className="calwire-day-name" data-today={info.isToday && withNumber}>
      <span>{info.weekdayText}</span>
      {withNumber && <span className="calwire-day-number">{info.dayNumberText}</span>}
    </span>
  );
}

/** A day of the narrow month: its number, and a coloured dot for each of its first events. */
function dotsContent({ events, range, palette, words, date }: GridProps) {
  const { formats } = words;
  const days = new Map(groupByDay(events, formats, range.first, range.last).map(({ day, events }) => [day, events]));
  return function DayDots(info: DayCellInfo): ReactElement {
    const day = formats.dayOf(info.date);
    return (
      <span className="calwire-dots-day" data-today={info.isToday} data-chosen={day === date}>
        <span className="calwire-day-number">{info.dayNumberText}</span>
        <span className="calwire-dots">
          {(days.get(day) ?? []).slice(0, DOTS).map((event) => (
            <span key={`${event.calendarId} ${event.id}`} style={palette.styleOf(event)} />
          ))}
        </span>
      </span>
    );
  };
}

/** The options that FullCalendar's themes would set. */
const LOOKS: CalendarOptions = {
  headerToolbar: false,
  height: '100%',
  borderless: true,
  eventInteractive: true,
  fixedWeekCount: false,
  dayMaxEvents: true,
  dayMaxEventRows: 4,
  nowIndicator: true,
  scrollTimeReset: false,
  slotDuration: '00:30:00',
  slotHeaderInterval: '01:00:00',
  slotHeaderFormat: { hour: 'numeric' },
  slotMinHeight: 24,
  eventMinHeight: 24,
  eventShortHeight: 40,
  dayHeaderFormat: { weekday: 'short', day: 'numeric' },
  eventOrder: 'start,-duration,title',
  className: 'calwire-fc',
  viewClass: 'calwire-fc-view',
  tableHeaderClass: 'calwire-fc-head',
  dayHeaderRowClass: 'calwire-fc-row',
  dayHeaderClass: 'calwire-fc-day-header',
  dayHeaderAlign: 'center',
  dayRowClass: 'calwire-fc-row',
  dayCellClass: (info) => cell(info, info.isOther),
  dayCellBottomClass: 'calwire-fc-cell-bottom',
  dayLaneClass: (info) => cell(info, false),
  dayLaneInnerClass: 'calwire-fc-lane',
  slotLaneClass: (info) => `calwire-fc-slot${info.isMinor ? ' calwire-fc-minor' : ''}`,
  slotHeaderClass: 'calwire-fc-slot-header',
  slotHeaderInnerClass: 'calwire-fc-slot-text',
  slotHeaderDividerClass: 'calwire-fc-divider',
  allDayHeaderClass: 'calwire-fc-slot-header',
  allDayHeaderInnerClass: 'calwire-fc-slot-text calwire-fc-all-day-text',
  allDayDividerClass: 'calwire-fc-all-day-divider',
  eventClass: 'calwire-fc-event',
  eventInnerClass: 'calwire-fc-event-inner',
  backgroundEventClass: 'calwire-fc-busy',
  rowMoreLinkClass: 'calwire-fc-more',
  columnMoreLinkClass: 'calwire-fc-more',
  navLinkClass: 'calwire-fc-nav',
  nowIndicatorLineClass: 'calwire-fc-now',
  nowIndicatorDotClass: 'calwire-fc-now-dot',
};

function cell({ isToday, isPast }: { isToday: boolean; isPast: boolean }, isOther: boolean): string {
  return ['calwire-fc-cell', isToday && 'calwire-fc-today', isPast && 'calwire-fc-past', isOther && 'calwire-fc-other']
    .filter(Boolean)
    .join(' ');
}
