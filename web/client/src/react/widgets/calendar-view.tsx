import {
  lazy,
  type ReactElement,
  type RefObject,
  Suspense,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

import type { EventType } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import { type DayString, firstWeekday, isDay } from '../format/index.js';
import { daysOf, type Layout, rangeOf, titleOfRange } from '../full-calendar/range.js';
import { useEvents } from '../hooks/index.js';
import { Announcer, Frame, useMoment, usePalette, useWords, type WidgetProps } from './base.js';
import { useEventTypes } from './birthdays.js';
import { type BusyChoice, useBusyChoice } from './busy-choice.js';
import { BusyLegend, roomFor, useBusyOverlay } from './busy-overlay.js';
import { Picker } from './calendar-picker.js';
import { Dialog } from './dialog.js';
import { useEditing } from './editing.js';
import { EventDialog, usePreloadedDetails } from './details.js';
import { FreshnessLine } from './freshness-line.js';
import { latestOf } from './group-by-day.js';
import type { Labels } from './labels.js';
import { FailureNotice, Obstacle, obstacleOf, ReconnectNotice } from './notices.js';
import { DayBelow, DayDialog } from './view-day.js';
import { Toolbar } from './view-toolbar.js';

export type ViewKind = 'week' | 'month';

export interface CalendarViewProps extends WidgetProps {
  /** The day to show, as `2026-11-24`. Controlled with `onDateChange`; without, it is the initial day. */
  date?: string | undefined;
  onDateChange?: ((date: string) => void) | undefined;
  /** Google's types of events. Default: all, without birthdays if the user hides them. */
  eventTypes?: EventType[] | undefined;
  /** Called instead of opening the details. */
  onEventClick?: ((event: CalendarEvent) => void) | undefined;
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
  /** Events can be created, moved and edited. Default: read only. */
  editable?: boolean | undefined;
}

export interface WeekViewProps extends CalendarViewProps {
  /** The calendars shown by their busy times only. Default: the user's choice in this browser. */
  busyCalendarIds?: string[] | undefined;
  /** Called when the user changes that choice. */
  onBusyCalendarIdsChange?: ((ids: string[]) => void) | undefined;
}

/** By far the largest chunk, so it is loaded with the first week or month that is shown. */
const Grid = lazy(() => import('../full-calendar/grid.js'));
const EditableGrid = lazy(() => import('../full-calendar/editable-grid.js'));

/** Below this width, a week's columns are too narrow for a title. */
const NARROW_PX = 620;

export default function CalendarView({ kind, ...props }: WeekViewProps & { kind: ViewKind }): ReactElement {
  const frame = useRef<HTMLElement>(null);
  const narrow = useNarrow(frame);
  const layout: Layout = kind === 'week' ? (narrow ? 'days' : 'week') : narrow ? 'dots' : 'month';
  const words = useWords(props);
  const { formats, labels } = words;
  usePreloadedDetails();
  const { editing, layer } = useEditing(props.editable ?? false, words);
  const moment = useMoment(formats);
  const palette = usePalette();
  const [date, setDate] = useDate(props, moment.today);
  const weekday = useMemo(() => firstWeekday(props.locale), [props.locale]);
  const range = useMemo(() => rangeOf(layout, date, weekday), [layout, date, weekday]);
  const { calendarIds } = props;
  const eventTypes = useEventTypes(props.eventTypes);
  const asked = { timeZone: formats.timeZone, eventTypes, ...(calendarIds && { calendarIds }) };
  const result = useEvents({ ...daysOf(range), ...asked });
  const all = useMemo(() => result.events.filter(({ status }) => status !== 'cancelled'), [result.events]);
  const chosen = useBusyChoice({ ids: props.busyCalendarIds, onChange: props.onBusyCalendarIdsChange });
  const choice = kind === 'week' ? chosen : null;
  const busy = useBusyOverlay(all, { choice, calendarIds, range, zone: formats.timeZone });
  const { events } = busy;
  const versions = useMemo(() => events.map(({ id, etag }) => `${id} ${etag}`).join(), [events]);
  const [open, setOpen] = useState<Opened>(null);
  const obstacle = obstacleOf(result);
  const onOpen = props.onEventClick ?? ((event: CalendarEvent) => setOpen({ what: 'event', event }));
  const context = { moment, palette, words, onOpen };
  const close = () => {
    setOpen(null);
  };
  const onDay = (day: DayString) => {
    if (layout === 'dots') setDate(day);
    else setOpen({ what: 'day', day });
  };
  const grid = { layout, date, range, firstWeekday: weekday, events, busy, moment, palette, words, onOpen, onDay };

  return (
    <Frame
      frameRef={frame}
      name="view"
      label={labels[kind]}
      busy={result.isLoading}
      className={props.className}
      style={props.style}
    >
      <Toolbar
        title={titleOfRange(layout, date, range, formats)}
        layout={layout}
        date={date}
        today={moment.today}
        words={words}
        editing={obstacle ? null : editing}
        onDate={setDate}
        onCalendars={() => {
          setOpen({ what: 'calendars' });
        }}
      />
      {!obstacle && <ReconnectNotice labels={labels} returnTo={props.returnTo} />}
      {!obstacle && <FailureNotice result={result} labels={labels} />}
      {!obstacle && <BusyLegend lanes={busy.lanes} labels={labels} />}
      {obstacle ? (
        <Obstacle result={result} labels={labels} returnTo={props.returnTo} />
      ) : (
        <div
          className="calwire-view-grid"
          style={roomFor(busy.lanes)}
          data-layout={layout}
          data-loading={result.isLoading}
        >
          <Suspense fallback={<p className="calwire-view-wait">{labels.loading}</p>}>
            {editing ? <EditableGrid {...grid} editing={editing} /> : <Grid {...grid} />}
          </Suspense>
        </div>
      )}
      {!obstacle && layout === 'dots' && <DayBelow day={date} events={events} context={context} />}
      {obstacle !== 'signedOut' && (
        <FreshnessLine result={result} hasContent={!obstacle && !result.isLoading} moment={moment} words={words} />
      )}
      <Announcer
        // Announce changes within a range, not a change of the range.
        key={range.first}
        state={result.isLoading ? null : versions}
        text={labels.agendaChanged(events.length)}
      />
      {open?.what === 'event' && (
        <EventDialog
          event={latestOf(open.event, events)}
          editing={editing}
          onClose={close}
          locale={props.locale}
          timeZone={props.timeZone}
          labels={props.labels}
        />
      )}
      {open?.what === 'day' && <DayDialog day={open.day} events={events} context={context} onClose={close} />}
      {layer}
      {open?.what === 'calendars' && <PickerDialog onClose={close} labels={labels} props={props} busy={choice} />}
    </Frame>
  );
}

type Opened = { what: 'event'; event: CalendarEvent } | { what: 'day'; day: DayString } | { what: 'calendars' } | null;

/** The host's date if it is controlled, else own state with the host's date as the initial value. */
function useDate({ date, onDateChange }: CalendarViewProps, today: DayString): [DayString, (date: DayString) => void] {
  const given = date !== undefined && isDay(date) ? date : null;
  const [own, setOwn] = useState<DayString | null>(given);
  const shown = (onDateChange ? given : null) ?? own ?? today;
  return [
    shown,
    (next) => {
      setOwn(next);
      onDateChange?.(next);
    },
  ];
}

/** Whether the element is too narrow for seven columns. False until it is measured. */
function useNarrow(element: RefObject<HTMLElement | null>): boolean {
  const [narrow, setNarrow] = useState(false);
  useLayoutEffect(() => {
    const target = element.current;
    if (!target || typeof ResizeObserver === 'undefined') return;
    const measure = () => {
      setNarrow(target.clientWidth > 0 && target.clientWidth < NARROW_PX);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return narrow;
}

interface PickerDialogProps {
  labels: Labels;
  props: CalendarViewProps;
  busy: BusyChoice | null;
  onClose: () => void;
}

function PickerDialog({ labels, props, busy, onClose }: PickerDialogProps): ReactElement {
  const id = useId();
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={onClose}>
      <h2 id={id} className="calwire-day-title">
        {labels.chooseCalendars}
      </h2>
      <Picker locale={props.locale} labels={props.labels} returnTo={props.returnTo} busy={busy} />
    </Dialog>
  );
}
