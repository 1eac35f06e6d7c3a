import { type ReactElement, useState } from 'react';

import type { CalendarInfo, ConnectionInfo } from '../../generated/types.js';
import { eventStyle, colourOf, plainLine } from '../format/index.js';
import { type CalendarsAnswer, useCalendars, useSyncStatus } from '../hooks/index.js';
import { Foreign, Frame, useWords, type WidgetProps } from './base.js';
import type { Labels } from './labels.js';
import { Obstacle, obstacleOf } from './notices.js';

export interface CalendarPickerProps extends Omit<WidgetProps, 'calendarIds'> {
  /** The path to come back to from Google's consent page. */
  returnTo?: string | undefined;
}

/** Which calendars are kept current and shown, by account. */
export function CalendarPicker({ returnTo, ...props }: CalendarPickerProps): ReactElement {
  const { labels } = useWords(props);
  const answer = useCalendars();
  const { connections } = useSyncStatus();
  const { chosen, choose, error } = useChoice(answer);
  const obstacle = obstacleOf(answer);
  return (
    <Frame
      name="picker"
      label={labels.calendars}
      busy={answer.isLoading}
      className={props.className}
      style={props.style}
    >
      {obstacle ? (
        <Obstacle answer={answer} labels={labels} returnTo={returnTo} />
      ) : answer.isLoading ? (
        <PickerSkeleton label={labels.loading} />
      ) : answer.calendars.length === 0 ? (
        <p className="calwire-quiet">{labels.noCalendars}</p>
      ) : (
        byAccount(answer.calendars, connections).map(({ account, calendars }) => (
          <fieldset key={account} className="calwire-account">
            <legend>
              <Foreign>{account}</Foreign>
            </legend>
            <ul>
              {calendars.map((calendar) => (
                <li key={calendar.id}>
                  <Choice calendar={calendar} checked={chosen(calendar)} onChange={choose} labels={labels} />
                </li>
              ))}
            </ul>
          </fieldset>
        ))
      )}
      {error && (
        <p className="calwire-error" role="alert">
          {error}
        </p>
      )}
    </Frame>
  );
}

interface ChoiceProps {
  calendar: CalendarInfo;
  checked: boolean;
  onChange: (calendar: CalendarInfo, checked: boolean) => void;
  labels: Labels;
}

function Choice({ calendar, checked, onChange, labels }: ChoiceProps): ReactElement {
  const note = calendar.accessLost
    ? labels.accessLost
    : calendar.primary
      ? labels.primary
      : ['reader', 'freeBusyReader'].includes(calendar.accessRole) && labels.readOnly;
  return (
    <label className="calwire-choice" style={eventStyle(colourOf({ colorId: null }, calendar))}>
      <input
        type="checkbox"
        checked={checked}
        onChange={(change) => {
          onChange(calendar, change.target.checked);
        }}
      />
      <span className="calwire-clamp-2">
        <Foreign>{plainLine(calendar.summary) || labels.untitled}</Foreign>
      </span>
      {note && <span className="calwire-quiet">{note}</span>}
    </label>
  );
}

interface Choosing {
  chosen: (calendar: CalendarInfo) => boolean;
  choose: (calendar: CalendarInfo, checked: boolean) => void;
  error: string | null;
}

/** A box answers at once, and goes back when the server refuses. */
function useChoice(answer: CalendarsAnswer): Choosing {
  const [pending, setPending] = useState<Readonly<Record<string, boolean>>>({});
  const [error, setError] = useState<string | null>(null);
  return {
    chosen: (calendar) => pending[calendar.id] ?? calendar.selected,
    choose: (calendar, checked) => {
      setPending((before) => ({ ...before, [calendar.id]: checked }));
      setError(null);
      answer
        .select([calendar.id], checked)
        .catch((reason: unknown) => {
          setError(reason instanceof Error ? reason.message : String(reason));
        })
        .finally(() => {
          setPending((before) => without(before, calendar.id));
        });
    },
    error,
  };
}

function without(choices: Readonly<Record<string, boolean>>, id: string): Record<string, boolean> {
  return Object.fromEntries(Object.entries(choices).filter(([key]) => key !== id));
}

interface Account {
  account: string;
  calendars: CalendarInfo[];
}

function byAccount(calendars: readonly CalendarInfo[], connections: readonly ConnectionInfo[]): Account[] {
  const emails = new Map(connections.map(({ id, email }) => [id, plainLine(email)]));
  const accounts = new Map<string, CalendarInfo[]>();
  for (const calendar of calendars) {
    const account = emails.get(calendar.connectionId) ?? 'Google';
    accounts.set(account, [...(accounts.get(account) ?? []), calendar]);
  }
  return [...accounts].map(([account, own]) => ({ account, calendars: own }));
}

function PickerSkeleton({ label }: { label: string }): ReactElement {
  return (
    <div className="calwire-skeleton">
      <p className="calwire-hidden">{label}</p>
      {[60, 45, 70].map((width) => (
        <div key={width} className="calwire-choice">
          <span className="calwire-bone" style={{ inlineSize: `${width}%` }} />
        </div>
      ))}
    </div>
  );
}
