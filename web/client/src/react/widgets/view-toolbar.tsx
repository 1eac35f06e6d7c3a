import { type ChangeEvent, type ReactElement, useId, useState } from 'react';

import { type DayString, isDay } from '../format/index.js';
import { type Layout, step } from '../full-calendar/range.js';
import type { Words } from './base.js';
import type { Editing } from './editing.js';
import { NewEventButton } from './new-event-button.js';
import { LeftIcon, ListIcon, RightIcon } from './view-toolbar-icons.js';

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

export function Toolbar({
  title,
  layout,
  date,
  today,
  words,
  editing,
  onDate,
  onCalendars,
}: ToolbarProps): ReactElement {
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

/** While a year is typed it is 2, 20 and 202 first; the view does not jump there. */
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
