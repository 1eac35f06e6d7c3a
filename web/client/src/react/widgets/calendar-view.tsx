import {
  type ChangeEvent,
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

import type { CalendarEvent } from '../../index.js';
import { type DayString, firstWeekday, isDay } from '../format/index.js';
import { daysOf, type Layout, rangeOf, step, titleOfRange } from '../full-calendar/range.js';
import { useEvents } from '../hooks/index.js';
import { Announcer, Frame, useMoment, usePalette, useWords, type Words } from './base.js';
import { type BusyChoice, useBusyChoice } from './busy-choice.js';
import { BusyLegend, roomFor, useBusyOverlay } from './busy-overlay.js';
import { Picker } from './calendar-picker.js';
import { Dialog } from './dialog.js';
import { type Editing, useEditing } from './editing.js';
import { EventDialog, useDetailsAtHand } from './details.js';
import { EventList, type EventListContext } from './event-list.js';
import { FreshnessLine } from './freshness-line.js';
import { groupByDay, latestOf } from './group-by-day.js';
import { LeftIcon, ListIcon, RightIcon } from './icons.js';
import type { Labels } from './labels.js';
import { NewEventButton } from './new-event-button.js';
import { FailureNotice, Obstacle, obstacleOf, ReconnectNotice } from './notices.js';
import type { CalendarViewProps, ViewKind, WeekViewProps } from './views.js';

/** By far the largest part, so it comes only with the first week or month that is shown. */
const Grid = lazy(() => import('../full-calendar/grid.js'));
const EditableGrid = lazy(() => import('../full-calendar/editable-grid.js'));

/** Below this a week's columns are too narrow for a title. */
const NARROW_PX = 620;

export default function CalendarView({ kind, ...props }: WeekViewProps & { kind: ViewKind }): ReactElement {
  const frame = useRef<HTMLElement>(null);
  const narrow = useNarrow(frame);
  const layout: Layout = kind === 'week' ? (narrow ? 'days' : 'week') : narrow ? 'dots' : 'month';
  const words = useWords(props);
  const { formats, labels } = words;
  useDetailsAtHand();
  const { editing, layer } = useEditing(props.editable ?? false, words);
  const moment = useMoment(formats);
  const palette = usePalette();
  const [date, setDate] = useDate(props, moment.today);
  const weekday = useMemo(() => firstWeekday(props.locale), [props.locale]);
  const range = useMemo(() => rangeOf(layout, date, weekday), [layout, date, weekday]);
  const { calendarIds } = props;
  const answer = useEvents({ ...daysOf(range), timeZone: formats.timeZone, ...(calendarIds && { calendarIds }) });
  const all = useMemo(() => answer.events.filter(({ status }) => status !== 'cancelled'), [answer.events]);
  const chosen = useBusyChoice({ ids: props.busyCalendarIds, onChange: props.onBusyCalendarIdsChange });
  const choice = kind === 'week' ? chosen : null;
  const busy = useBusyOverlay(all, { choice, calendarIds, range, zone: formats.timeZone });
  const { events } = busy;
  const versions = useMemo(() => events.map(({ id, etag }) => `${id} ${etag}`).join(), [events]);
  const [open, setOpen] = useState<Opened>(null);
  const obstacle = obstacleOf(answer);
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
      busy={answer.isLoading}
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
      {!obstacle && <FailureNotice answer={answer} labels={labels} />}
      {!obstacle && <BusyLegend lanes={busy.lanes} labels={labels} />}
      {obstacle ? (
        <Obstacle answer={answer} labels={labels} returnTo={props.returnTo} />
      ) : (
        <div
          className="calwire-view-grid"
          style={roomFor(busy.lanes)}
          data-layout={layout}
          data-loading={answer.isLoading}
        >
          <Suspense fallback={<p className="calwire-view-wait">{labels.loading}</p>}>
            {editing ? <EditableGrid {...grid} editing={editing} /> : <Grid {...grid} />}
          </Suspense>
        </div>
      )}
      {!obstacle && layout === 'dots' && <DayBelow day={date} events={events} context={context} />}
      {obstacle !== 'signedOut' && (
        <FreshnessLine answer={answer} hasContent={!obstacle && !answer.isLoading} moment={moment} words={words} />
      )}
      <Announcer
        // Another range is not news, only a change within this one.
        key={range.first}
        state={answer.isLoading ? null : versions}
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

/** The host's date, if it looks after it; else our own, which begins with the host's. */
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

/** Whether the element is too narrow for seven columns; before it is measured it is not. */
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

interface ToolbarProps {
  title: string;
  layout: Layout;
  date: DayString;
  today: DayString;
  words: Words;
  editing: Editing | null;
  onDate: (date: DayString) => void;
  onCalendars: () => void;
}

function Toolbar({ title, layout, date, today, words, editing, onDate, onCalendars }: ToolbarProps): ReactElement {
  const { labels, Heading } = words;
  const unit = layout === 'dots' ? 'month' : layout;
  return (
    <header className="calwire-toolbar">
      <Heading className="calwire-toolbar-title" aria-live="polite">
        {title}
      </Heading>
      <div className="calwire-toolbar-group">
        <button
          type="button"
          className="calwire-icon-button"
          onClick={() => {
            onDate(step(layout, date, -1));
          }}
        >
          <LeftIcon />
          <span className="calwire-hidden">{labels.previous[unit]}</span>
        </button>
        <button
          type="button"
          className="calwire-button"
          aria-current={date === today ? 'date' : undefined}
          onClick={() => {
            onDate(today);
          }}
        >
          {labels.today}
        </button>
        <button
          type="button"
          className="calwire-icon-button"
          onClick={() => {
            onDate(step(layout, date, 1));
          }}
        >
          <RightIcon />
          <span className="calwire-hidden">{labels.following[unit]}</span>
        </button>
      </div>
      <div className="calwire-toolbar-group calwire-toolbar-end">
        {editing && <NewEventButton editing={editing} day={date} words={words} compact />}
        <DateInput date={date} label={labels.goToDate} onDate={onDate} />
        <button type="button" className="calwire-button" aria-haspopup="dialog" onClick={onCalendars}>
          <ListIcon />
          <span className="calwire-wide-only">{labels.calendars}</span>
        </button>
      </div>
    </header>
  );
}

/** While a year is typed it is 2, 20 and 202 first, which nobody wants to see. */
const FIRST_YEAR = '1900';

interface DateInputProps {
  date: DayString;
  label: string;
  onDate: (date: DayString) => void;
}

function DateInput({ date, label, onDate }: DateInputProps): ReactElement {
  const id = useId();
  const [draft, setDraft] = useState<string | null>(null);
  return (
    <>
      <label className="calwire-hidden" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        type="date"
        className="calwire-date"
        value={draft ?? date}
        onChange={(change: ChangeEvent<HTMLInputElement>) => {
          const typed = change.target.value;
          const complete = isDay(typed) && typed >= FIRST_YEAR;
          setDraft(complete ? null : typed);
          if (complete) onDate(typed);
        }}
        onBlur={() => {
          setDraft(null);
        }}
      />
    </>
  );
}

interface DayProps {
  day: DayString;
  events: readonly CalendarEvent[];
  context: EventListContext;
}

/** The chosen day of a narrow month. */
function DayBelow({ day, events, context }: DayProps): ReactElement {
  const id = useId();
  return (
    <section className="calwire-day-below" aria-labelledby={id} aria-live="polite">
      <DayContent id={id} day={day} events={events} context={context} />
    </section>
  );
}

function DayDialog({ onClose, ...props }: DayProps & { onClose: () => void }): ReactElement {
  const id = useId();
  return (
    <Dialog labelledBy={id} closeLabel={props.context.words.labels.close} onClose={onClose}>
      <DayContent id={id} {...props} />
    </Dialog>
  );
}

function DayContent({ id, day, events, context }: DayProps & { id: string }): ReactElement {
  const { formats, labels } = context.words;
  const there = groupByDay(events, formats, day, day)[0]?.events ?? [];
  return (
    <>
      <h2 id={id} className="calwire-day-title">
        {formats.day(day, context.moment.today)}
      </h2>
      {there.length > 0 ? (
        <EventList day={day} events={there} context={context} />
      ) : (
        <p className="calwire-quiet">{labels.nothingThatDay}</p>
      )}
    </>
  );
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
