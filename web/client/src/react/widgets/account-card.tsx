import { type ReactElement, useId, useState } from 'react';

import type { CalendarInfo, Disconnect, Mode } from '../../generated/types.js';
import { colourOf, entryOf, eventStyle, plainLine } from '../format/index.js';
import { type Account, useSelectCalendars } from '../hooks/index.js';
import { DisconnectDialog } from './account-dialogs.js';
import type { ManagerLabels, ManagerWords } from './manager-words.js';
import { Foreign, type Moment } from './base.js';
import { ConnectButton, isBroken } from './notices.js';
import { STATE_TONES } from './sync-status.js';

interface AccountCardProps {
  account: Account;
  moment: Moment;
  words: ManagerWords;
  returnTo: string | undefined;
  onDisconnected: (receipt: Disconnect) => void;
}

/** One Google account: its state and remedy, its calendars, and the button to disconnect. */
export function AccountCard(props: AccountCardProps): ReactElement {
  const { account, moment, words, returnTo } = props;
  const { labels } = words;
  const { state, calendars } = account;
  const [isDisconnecting, setDisconnecting] = useState(false);
  const id = useId();
  const email = plainLine(account.email);
  const shown = calendars.filter(({ selected }) => selected).length;
  const remedy = state !== 'healthy' ? labels.remedies[state] : account.canWrite ? null : labels.readOnlyAccount;

  return (
    <section className="calwire-manager-account" aria-labelledby={id} data-tone={STATE_TONES[state]}>
      <header className="calwire-manager-account-head">
        <span className="calwire-manager-initial" aria-hidden="true">
          {email.charAt(0).toUpperCase()}
        </span>
        <div className="calwire-manager-who">
          <p id={id} className="calwire-account-name">
            <Foreign>{email}</Foreign>
          </p>
          <p className="calwire-manager-state">
            <span className="calwire-dot" aria-hidden="true" />
            <span className="calwire-state">{labels.states[state]}</span>
            {calendars.length > 0 && (
              <span className="calwire-quiet"> · {labels.selected(shown, calendars.length)}</span>
            )}
          </p>
        </div>
        <div className="calwire-manager-actions">
          {(isBroken(account) || !account.canWrite) && (
            <ConnectButton
              labels={labels}
              text={labels.reconnect}
              returnTo={returnTo}
              connectionId={account.id}
              quiet={!isBroken(account)}
            />
          )}
          <button
            type="button"
            className="calwire-button"
            aria-haspopup="dialog"
            aria-label={`${labels.disconnect} ${email}`}
            onClick={() => {
              setDisconnecting(true);
            }}
          >
            {labels.disconnect}
          </button>
        </div>
      </header>
      {remedy && <p className={state === 'healthy' ? 'calwire-quiet' : 'calwire-manager-remedy'}>{remedy}</p>}
      {calendars.length > 0 && (
        <ul className="calwire-manager-calendars" aria-label={labels.calendarsOf(email)}>
          {calendars.map((calendar) => (
            <li key={calendar.id} style={eventStyle(colourOf({ colorId: null }, calendar))}>
              <CalendarLine calendar={calendar} moment={moment} words={words} />
            </li>
          ))}
        </ul>
      )}
      {isDisconnecting && (
        <DisconnectDialog
          account={account}
          labels={labels}
          onClose={() => {
            setDisconnecting(false);
          }}
          onDone={props.onDisconnected}
        />
      )}
    </section>
  );
}

interface CalendarLineProps {
  calendar: CalendarInfo;
  moment: Moment;
  words: ManagerWords;
}

function CalendarLine({ calendar, moment, words }: CalendarLineProps): ReactElement {
  const { labels } = words;
  // One hook per line, so that each shows its own error.
  const { select, error } = useSelectCalendars();
  const id = useId();
  return (
    <>
      <label className="calwire-choice">
        <input
          type="checkbox"
          checked={calendar.selected}
          aria-describedby={id}
          onChange={(change) => void select([calendar.id], change.target.checked)}
        />
        <span className="calwire-clamp-2">
          <Foreign>{plainLine(calendar.summary) || labels.untitled}</Foreign>
        </span>
        {calendar.primary && <span className="calwire-badge">{labels.primary}</span>}
      </label>
      <p id={id} className="calwire-manager-facts">
        <span>{roleOf(calendar, labels)}</span>
        <FreshnessText calendar={calendar} moment={moment} words={words} />
      </p>
      {error && (
        <p className="calwire-error calwire-manager-error" role="alert">
          {labels.notChanged(error.message)}
        </p>
      )}
    </>
  );
}

function roleOf({ accessRole }: CalendarInfo, { roles }: ManagerLabels): string {
  return entryOf<string>(roles, accessRole) ?? roles.reader;
}

const MODE_TONES: Readonly<Record<Mode, 'good' | 'waiting' | 'bad'>> = {
  push: 'good',
  polling: 'good',
  stale: 'waiting',
  paused: 'bad',
};

/** How a calendar is kept current, and as of when. */
function FreshnessText({ calendar, moment, words: { formats, labels } }: CalendarLineProps): ReactElement {
  const { accessLost, selected, freshness } = calendar;
  if (accessLost) return <span data-tone="bad">{labels.accessLost}</span>;
  if (!selected || !freshness) return <span>{selected ? labels.neverSynced : labels.notShown}</span>;
  const { mode, asOf } = freshness;
  return (
    <span className="calwire-manager-mode" data-tone={MODE_TONES[mode]}>
      <span className="calwire-dot" aria-hidden="true" />
      <span>
        {labels.modes[mode]} · {asOf ? labels.asOf(formats.moment(asOf, moment.now)) : labels.neverSynced}
      </span>
    </span>
  );
}
