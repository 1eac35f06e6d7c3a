import { type ChangeEvent, type ReactElement, useMemo } from 'react';

import type { Words } from '../widgets/base.js';
import { type Draft, type problemsOf, withStart } from './draft.js';
import { Check, Field, Group, Select } from './field.js';

interface WhenProps {
  draft: Draft;
  problems: ReturnType<typeof problemsOf>;
  words: Words;
  locked: string | null;
  /** Why the event cannot become all-day, or timed. */
  allDayLocked: string | null;
  onChange: (draft: Draft) => void;
}

/** Date and time, in the event's own zone. */
export function WhenFields({ draft, problems, words, locked, allDayLocked, onChange }: WhenProps): ReactElement {
  const { labels } = words;
  const { allDay } = draft;
  const problemOf = (field: 'start' | 'end') => problems[field] && labels.problems[problems[field]];
  return (
    <>
      <Check
        label={labels.allDay}
        checked={allDay}
        locked={locked ?? allDayLocked}
        onChange={(checked) => {
          onChange({ ...draft, allDay: checked });
        }}
      />
      <Group label={labels.starts} className="calwire-field-row" locked={locked} problem={problemOf('start')}>
        <Input
          type="date"
          label={labels.startDate}
          value={draft.startDate}
          isInvalid={problems.start !== undefined}
          onChange={(startDate) => {
            onChange(withStart(draft, { startDate }));
          }}
        />
        {!allDay && (
          <Input
            type="time"
            label={labels.startTime}
            value={draft.startTime}
            isInvalid={problems.start !== undefined}
            onChange={(startTime) => {
              onChange(withStart(draft, { startTime }));
            }}
          />
        )}
      </Group>
      <Group label={labels.ends} className="calwire-field-row" locked={locked} problem={problemOf('end')}>
        <Input
          type="date"
          label={labels.endDate}
          value={draft.endDate}
          isInvalid={problems.end !== undefined}
          onChange={(endDate) => {
            onChange({ ...draft, endDate });
          }}
        />
        {!allDay && (
          <Input
            type="time"
            label={labels.endTime}
            value={draft.endTime}
            isInvalid={problems.end !== undefined}
            onChange={(endTime) => {
              onChange({ ...draft, endTime });
            }}
          />
        )}
      </Group>
      {!allDay && <ZoneField draft={draft} words={words} locked={locked} onChange={onChange} />}
    </>
  );
}

interface InputProps {
  type: 'date' | 'time';
  label: string;
  value: string;
  isInvalid: boolean;
  onChange: (value: string) => void;
}

function Input({ type, label, value, isInvalid, onChange }: InputProps): ReactElement {
  return (
    <input
      type={type}
      className="calwire-input"
      aria-label={label}
      aria-invalid={isInvalid ? true : undefined}
      value={value}
      required
      onChange={(change: ChangeEvent<HTMLInputElement>) => {
        onChange(change.target.value);
      }}
    />
  );
}

function ZoneField({ draft, words, locked, onChange }: Omit<WhenProps, 'problems' | 'allDayLocked'>): ReactElement {
  const { timeZone } = draft;
  const here = words.formats.timeZone;
  const options = useMemo(() => {
    const all = new Set([here, timeZone, 'UTC', ...Intl.supportedValuesOf('timeZone')]);
    return [...all].map((zone) => [zone, zone.replaceAll('_', ' ')] as const);
  }, [here, timeZone]);
  return (
    <Field label={words.labels.timeZone} locked={locked}>
      {(control) => (
        <Select
          control={control}
          options={options}
          value={timeZone}
          onChange={(zone) => {
            onChange({ ...draft, timeZone: zone });
          }}
        />
      )}
    </Field>
  );
}
