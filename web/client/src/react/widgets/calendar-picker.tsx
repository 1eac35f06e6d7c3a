import type { ReactElement } from 'react';

import type { CalendarInfo, ConnectionInfo } from '../../generated/types.js';
import { eventStyle, colourOf, plainLine } from '../format/index.js';
import { useCalendars, useSyncStatus } from '../hooks/index.js';
import { Foreign, Frame, useWords, type WidgetProps } from './base.js';
import { useBirthdays } from './birthdays.js';
import type { BusyChoice } from './busy-choice.js';
import type { Labels } from './labels.js';
import { Obstacle, obstacleOf } from './notices.js';

export interface CalendarPickerProps extends Omit<WidgetProps, 'calendarIds'> {
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
}

/** Selects the calendars that are kept current and shown, by account. */
export function CalendarPicker(props: CalendarPickerProps): ReactElement {
  return <Picker {...props} busy={null} />;
}

interface PickerProps extends CalendarPickerProps {
  /** Adds toggles for calendars that are shown by their busy times only. */
  busy: BusyChoice | null;
}

export function Picker({ returnTo, busy, ...props }: PickerProps): ReactElement {
  const { labels } = useWords(props);
  const result = useCalendars();
  const { connections } = useSyncStatus();
  const obstacle = obstacleOf(result);
  const choose = (calendar: CalendarInfo, checked: boolean) => void result.select([calendar.id], checked);
  return (
    <Frame
      name="picker"
      label={labels.calendars}
      busy={result.isLoading}
      className={props.className}
      style={props.style}
    >
      {obstacle ? (
        <Obstacle result={result} labels={labels} returnTo={returnTo} />
      ) : result.isLoading ? (
        <PickerSkeleton label={labels.loading} />
      ) : result.calendars.length === 0 ? (
        <p className="calwire-quiet">{labels.noCalendars}</p>
      ) : (
        byAccount(result.calendars, connections).map(({ account, calendars }) => (
          <fieldset key={account} className="calwire-account">
            <legend>
              <Foreign>{account}</Foreign>
            </legend>
            <ul>
              {calendars.map((calendar) => (
                <li key={calendar.id} className="calwire-choice-line">
                  <Choice calendar={calendar} onChange={choose} labels={labels} />
                  {busy && calendar.selected && <BusyToggle calendar={calendar} busy={busy} labels={labels} />}
                </li>
              ))}
            </ul>
          </fieldset>
        ))
      )}
      {!obstacle && result.calendars.length > 0 && <Birthdays labels={labels} />}
      {!obstacle && busy && result.calendars.length > 0 && <p className="calwire-quiet">{labels.busyOnlyHint}</p>}
      {!obstacle && result.error && (
        <p className="calwire-error" role="alert">
          {result.error.message}
        </p>
      )}
    </Frame>
  );
}

/**
 * On Google's page, birthdays are a calendar of their own. The API lists them among the events of the primary calendar:
 * https://developers.google.com/workspace/calendar/api/guides/event-types#birthday
 */
function Birthdays({ labels }: { labels: Labels }): ReactElement {
  const { shown, choose } = useBirthdays();
  return (
    <label className="calwire-choice">
      <input
        type="checkbox"
        checked={shown}
        onChange={(change) => {
          choose(change.target.checked);
        }}
      />
      <span>{labels.birthdays}</span>
    </label>
  );
}

interface BusyToggleProps {
  calendar: CalendarInfo;
  busy: BusyChoice;
  labels: Labels;
}

function BusyToggle({ calendar, busy, labels }: BusyToggleProps): ReactElement {
  const pressed = busy.isBusyOnly(calendar);
  return (
    <button
      type="button"
      className="calwire-toggle"
      aria-pressed={pressed}
      aria-label={`${labels.busyOnly}: ${plainLine(calendar.summary) || labels.untitled}`}
      onClick={() => {
        busy.choose(calendar, !pressed);
      }}
    >
      {labels.busyOnly}
    </button>
  );
}

interface CalendarChoiceProps {
  calendar: CalendarInfo;
  onChange: (calendar: CalendarInfo, checked: boolean) => void;
  labels: Labels;
}

function Choice({ calendar, onChange, labels }: CalendarChoiceProps): ReactElement {
  const note = calendar.accessLost
    ? labels.accessLost
    : calendar.primary
      ? labels.primary
      : ['reader', 'freeBusyReader'].includes(calendar.accessRole) && labels.readOnly;
  return (
    <label className="calwire-choice" style={eventStyle(colourOf({ colorId: null }, calendar))}>
      <input
        type="checkbox"
        checked={calendar.selected}
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

interface AccountGroup {
  account: string;
  calendars: CalendarInfo[];
}

function byAccount(calendars: readonly CalendarInfo[], connections: readonly ConnectionInfo[]): AccountGroup[] {
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
          <span className="calwire-skeleton-line" style={{ inlineSize: `${width}%` }} />
        </div>
      ))}
    </div>
  );
}
