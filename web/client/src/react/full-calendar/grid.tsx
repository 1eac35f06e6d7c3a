import FullCalendar, {
  type CalendarOptions,
  type DayCellInfo,
  type DayHeaderInfo,
  type EventDisplayInfo,
  type EventInput,
  type PluginInput,
  useCalendarController,
} from '@fullcalendar/react';
import dayGridPlugin from '@fullcalendar/react/daygrid';
import timeGridPlugin from '@fullcalendar/react/timegrid';
import { type ReactElement, useEffect, useMemo, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import { type DayString, isOver, plainLine, shorten } from '../format/index.js';
import { Foreign, type Moment, type Palette, type Words } from '../widgets/base.js';
import type { Editing } from '../widgets/editing.js';
import { isDeclined, nameOf, timesOf, titleOf } from '../widgets/event-text.js';
import type { BusyOverlay } from '../widgets/busy-overlay.js';
import { groupByDay } from '../widgets/group-by-day.js';
import { BusyBlock, busyInputs } from './busy.js';
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
  /** A day was chosen: all of its events are wanted. */
  onDay: (day: DayString) => void;
  /** What is added for a grid in which events are edited. */
  plugins?: PluginInput[];
  options?: CalendarOptions;
  /** How far an edit of an event is. */
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
/** FullCalendar opens its own popover when it is told nothing, and a view when told a name. Told this, it does neither. */
const HANDLED = true as unknown as string;
/** More dots than these say no more. */
const DOTS = 4;

/** FullCalendar, with our looks: its grid, its layout of what overlaps, and nothing of its themes. */
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
      // Another layout is another calendar: what FullCalendar measured for the last one does not hold.
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

/** The hours of work; early and late in the day those around the present. */
function firstHour({ formats }: Words, { now }: Moment): string {
  const hour = formats.hourOf(now);
  const inView = hour >= 8 && hour < 17;
  const first = inView ? 7 : Math.min(Math.max(hour - 2, 0), 14);
  // A little before the hour, which is written across its line.
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
    // Side by side where there is room for it; overlapping, but with longer titles, where there is not.
    slotEventOverlap: layout === 'days',
    dayLaneDidMount: ({ el, date }) => {
      makeReachable(el, formats.shortDay(formats.dayOf(date)));
    },
    dayCellTopClass: layout === 'dots' ? 'calwire-fc-cell-top calwire-fc-cell-top-dots' : 'calwire-fc-cell-top',
    dayCellTopInnerClass: layout === 'dots' ? 'calwire-fc-cell-dots' : 'calwire-fc-cell-number',
    ...(layout === 'dots' && { dayCellTopContent: dotsContent(props) }),
  };
}

/** A click leaves the focus where it was; the dialog it opens has to give it back to here. */
function focusOn(target: EventTarget | null): void {
  if (target instanceof Element) target.closest<HTMLElement>('[tabindex]')?.focus({ preventScroll: true });
}

/**
 * The hours are scrolled by keyboard from within, and a week without events has nothing else in it that takes the focus:
 * its first day does.
 */
function makeReachable(lane: HTMLElement, day: string): void {
  if (lane.previousElementSibling?.getAttribute('role') === 'cell') return;
  lane.tabIndex = 0;
  lane.ariaLabel = day;
}

type State = ReturnType<Editing['stateOf']>;

function inputOf(
  event: CalendarEvent,
  words: Words,
  { now, today }: Moment,
  state: State,
  isMovable: boolean,
): EventInput {
  const doing = state === 'pending' ? words.labels.isPending : state === 'sending' ? words.labels.isSending : null;
  return {
    id: keyOf(event),
    // What a screen reader says; people see the chip below.
    title: [nameOf(event, today, words), doing].filter(Boolean).join(', '),
    start: event.start,
    end: event.end,
    allDay: event.allDay,
    startEditable: isMovable,
    durationEditable: isMovable,
    extendedProps: { event, isOver: isOver(event, now, today), state },
  };
}

/** An event's name within the grid. */
export function keyOf({ calendarId, id }: Pick<CalendarEvent, 'calendarId' | 'id'>): string {
  return `${calendarId} ${id}`;
}

/** None: FullCalendar's own, such as the time that is being selected. */
function eventIn(event: { extendedProps: Record<string, unknown> }): CalendarEvent | undefined {
  return event.extendedProps['event'] as CalendarEvent | undefined;
}

export function eventOf(event: { extendedProps: Record<string, unknown> }): CalendarEvent {
  return event.extendedProps['event'] as CalendarEvent;
}

interface ChipProps {
  info: EventDisplayInfo;
  palette: Palette;
  words: Words;
}

function Chip({ info, palette, words }: ChipProps): ReactElement {
  const event = eventIn(info.event);
  return event ? (
    <EventChip info={info} event={event} palette={palette} words={words} />
  ) : (
    <div className="calwire-chip calwire-chip-new" data-shape="box">
      <span className="calwire-chip-time">{info.timeText}</span>
    </div>
  );
}

function EventChip({ info, event, palette, words }: ChipProps & { event: CalendarEvent }): ReactElement {
  const place = shorten(plainLine(event.location), 100);
  const shape = event.allDay ? 'bar' : info.view.type.startsWith('dayGrid') && !isLong(event) ? 'line' : 'box';
  return (
    <div
      className="calwire-chip"
      style={palette.styleOf(event)}
      data-event={keyOf(event)}
      data-shape={shape}
      data-edit={(info.event.extendedProps['state'] as State) ?? undefined}
      data-short={info.isShort}
      data-narrow={info.isNarrow}
      data-over={info.event.extendedProps['isOver'] === true}
      data-declined={isDeclined(event)}
      data-tentative={event.status === 'tentative'}
      data-start={info.isStart}
      data-end={info.isEnd}
    >
      <span className="calwire-hidden">{info.event.title}</span>
      {shape === 'line' && <span className="calwire-chip-dot" />}
      <span className="calwire-chip-title" aria-hidden="true">
        <Foreign>{titleOf(event, words.labels)}</Foreign>
      </span>
      {!event.allDay && (
        <span className="calwire-chip-time" aria-hidden="true">
          {shape === 'line' ? words.formats.time(event.start) : timesOf(event, words)}
        </span>
      )}
      {place && shape === 'box' && (
        <span className="calwire-chip-place" aria-hidden="true">
          <Foreign>{place}</Foreign>
        </span>
      )}
    </div>
  );
}

function isLong(event: CalendarEvent): boolean {
  return new Date(event.end).getTime() - new Date(event.start).getTime() >= 86_400_000;
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

/** A day of the narrow month: its number, and a dot in the colour of each of its first events. */
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

/** What FullCalendar's themes would set. */
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
