import type { ReactElement } from 'react';

import type { Reminder, Reminders } from '../../generated/types.js';
import { CloseIcon } from '../widgets/icons.js';
import type { Labels } from '../widgets/labels.js';
import { DEFAULT_REMINDERS } from './draft.js';
import { Check, Group } from './field.js';

const MINUTES = [0, 5, 10, 15, 30, 60, 120, 1_440, 2_880, 10_080];
/** Google's limit. */
const MAX_REMINDERS = 5;

interface RemindersProps {
  reminders: Reminders;
  labels: Labels;
  locked: string | null;
  onChange: (reminders: Reminders) => void;
}

export function RemindersField({ reminders, labels, locked, onChange }: RemindersProps): ReactElement {
  const { useDefault, overrides } = reminders;
  const put = (next: Reminder[]) => {
    onChange({ useDefault: false, overrides: next });
  };
  const add = () => {
    const free = [10, 30, 60, ...MINUTES].find((minutes) => !overrides.some((each) => each.minutes === minutes));
    put([...overrides, { method: 'popup', minutes: free ?? 10 }]);
  };
  return (
    <Group label={labels.reminders} locked={locked}>
      <Check
        label={labels.defaultReminders}
        checked={useDefault}
        onChange={(checked) => {
          onChange(checked ? DEFAULT_REMINDERS : { useDefault: false, overrides: [{ method: 'popup', minutes: 10 }] });
        }}
      />
      {!useDefault && (
        <ul className="calwire-rows">
          {overrides.map((reminder, index) => (
            <li key={index} className="calwire-field-row">
              <ReminderRow
                reminder={reminder}
                labels={labels}
                onChange={(next) => {
                  put(overrides.map((each, at) => (at === index ? next : each)));
                }}
                onRemove={() => {
                  put(overrides.filter((_, at) => at !== index));
                }}
              />
            </li>
          ))}
        </ul>
      )}
      {!useDefault && overrides.length < MAX_REMINDERS && (
        <button type="button" className="calwire-link" onClick={add}>
          {labels.addReminder}
        </button>
      )}
    </Group>
  );
}

interface ReminderRowProps {
  reminder: Reminder;
  labels: Labels;
  onChange: (reminder: Reminder) => void;
  onRemove: () => void;
}

function ReminderRow({ reminder, labels, onChange, onRemove }: ReminderRowProps): ReactElement {
  const minutes = [...new Set([...MINUTES, reminder.minutes])].sort((a, b) => a - b);
  return (
    <>
      <select
        className="calwire-input"
        aria-label={labels.reminders}
        value={reminder.method}
        onChange={(change) => {
          onChange({ ...reminder, method: change.target.value });
        }}
      >
        {(['popup', 'email'] as const).map((method) => (
          <option key={method} value={method}>
            {labels.reminderMethods[method]}
          </option>
        ))}
      </select>
      <select
        className="calwire-input"
        aria-label={labels.before(reminder.minutes)}
        value={reminder.minutes}
        onChange={(change) => {
          onChange({ ...reminder, minutes: Number(change.target.value) });
        }}
      >
        {minutes.map((each) => (
          <option key={each} value={each}>
            {labels.before(each)}
          </option>
        ))}
      </select>
      <button
        type="button"
        className="calwire-icon-button"
        aria-label={labels.remove(labels.before(reminder.minutes))}
        onClick={onRemove}
      >
        <CloseIcon />
      </button>
    </>
  );
}
