import type { ReactElement } from 'react';

import { addDays } from '../../core/zone.js';
import type { Labels } from '../widgets/labels.js';
import { Field, Group, Select } from './field.js';
import type { Frequency, Repeat, RepeatEnd } from './repeat.js';

interface RepeatProps {
  repeat: Repeat;
  /** The event's original rule if the form cannot express it. It can be selected again. */
  custom: string[] | null;
  startDate: string;
  problem: string | undefined;
  labels: Labels;
  locked: string | null;
  onChange: (repeat: Repeat) => void;
}

const PLAIN: Frequency[] = ['none', 'daily', 'weekdays', 'weekly', 'monthly', 'yearly'];

/** The frequency and the end of a recurrence. */
export function RepeatField(props: RepeatProps): ReactElement {
  const { repeat, custom, labels, locked, onChange } = props;
  const frequencies = custom ? [...PLAIN, 'custom' as const] : PLAIN;
  return (
    <>
      <Field label={labels.repeat} locked={locked}>
        {(control) => (
          <Select
            control={control}
            options={frequencies.map((frequency) => [frequency, labels.frequencies[frequency]] as const)}
            value={repeat.frequency}
            onChange={(frequency) => {
              onChange({ ...repeat, frequency, lines: frequency === 'custom' ? (custom ?? []) : [] });
            }}
          />
        )}
      </Field>
      {repeat.frequency === 'custom' && (
        <ul className="calwire-rule">
          {repeat.lines.map((line) => (
            <li key={line}>
              <code>{line}</code>
            </li>
          ))}
        </ul>
      )}
      {repeat.frequency !== 'none' && repeat.frequency !== 'custom' && <EndField {...props} />}
    </>
  );
}

const OCCURRENCES = 10;

function EndField({ repeat, startDate, problem, labels, locked, onChange }: RepeatProps): ReactElement {
  const { end } = repeat;
  const put = (next: RepeatEnd) => {
    onChange({ ...repeat, end: next, lines: [] });
  };
  const choose = (kind: RepeatEnd['kind']) => {
    if (kind === 'never') put({ kind });
    else put(kind === 'on' ? { kind, date: addDays(startDate, 30) } : { kind, count: OCCURRENCES });
  };
  return (
    <Group label={labels.repeatEnds} className="calwire-field-row" locked={locked} problem={problem}>
      <select
        className="calwire-input"
        aria-label={labels.repeatEnds}
        value={end.kind}
        onChange={(change) => {
          choose(change.target.value as RepeatEnd['kind']);
        }}
      >
        {(['never', 'on', 'after'] as const).map((kind) => (
          <option key={kind} value={kind}>
            {labels.repeatEnd[kind]}
          </option>
        ))}
      </select>
      {end.kind === 'on' && (
        <input
          type="date"
          className="calwire-input"
          aria-label={labels.lastDay}
          value={end.date}
          onChange={(change) => {
            put({ kind: 'on', date: change.target.value });
          }}
        />
      )}
      {end.kind === 'after' && (
        <input
          type="number"
          min={1}
          max={730}
          className="calwire-input"
          aria-label={labels.times}
          value={Number.isNaN(end.count) ? '' : end.count}
          onChange={(change) => {
            put({ kind: 'after', count: change.target.valueAsNumber });
          }}
        />
      )}
    </Group>
  );
}
