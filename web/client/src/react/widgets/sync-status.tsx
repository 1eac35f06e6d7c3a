import { type ReactElement, useEffect, useRef, useState } from 'react';

import type { CalendarInfo, ConnectionInfo, Freshness } from '../../generated/types.js';
import { colourOf, eventStyle, plainLine } from '../format/index.js';
import { type UseSyncStatusResult, useCalendars, useSyncStatus } from '../hooks/index.js';
import { Foreign, Frame, type Moment, useMoment, useWords, type WidgetProps, type Words } from './base.js';
import { FreshnessLine } from './freshness-line.js';
import { RefreshIcon } from './icons.js';
import type { Labels } from './labels.js';
import { brokenOf, ConnectButton, Obstacle, obstacleOf } from './notices.js';

export interface SyncStatusProps extends WidgetProps {
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
  /** Initially expanded. Default: one line that the user can expand. */
  defaultOpen?: boolean | undefined;
}

/** The user can request a sync again if this one has not finished within this time. */
const SYNC_TIMEOUT = 20_000;
const REFETCH_EVERY = 2_000;

/** How current the accounts and calendars are, and the remedy for those that are not. */
export function SyncStatus({ returnTo, defaultOpen = false, ...props }: SyncStatusProps): ReactElement {
  const words = useWords(props);
  const { formats, labels } = words;
  const moment = useMoment(formats);
  const result = useSyncStatus();
  const { calendars: infos } = useCalendars();
  const obstacle = obstacleOf(result);
  // Without calendar access there is still an account to show.
  const hidden = obstacle !== null && obstacle !== 'noAccess';
  const { calendarIds } = props;
  const calendars = result.calendars.filter(({ calendarId }) => calendarIds?.includes(calendarId) ?? true);
  return (
    <Frame
      name="sync"
      label={labels.syncStatus}
      busy={result.isLoading}
      className={props.className}
      style={props.style}
    >
      {hidden ? (
        <Obstacle result={result} labels={labels} returnTo={returnTo} />
      ) : (
        <details className="calwire-sync-details" open={defaultOpen}>
          <summary>
            <span className="calwire-sync-summary" data-tone={toneOf(result)}>
              <span className="calwire-dot" aria-hidden="true" />
              <span role="status">{result.isLoading ? labels.loading : summaryOf(result, labels)}</span>
            </span>
          </summary>
          <div className="calwire-sync-body">
            <Accounts connections={result.connections} labels={labels} returnTo={returnTo} />
            <CalendarTable calendars={calendars} infos={infos} moment={moment} words={words} />
            {result.connected && !result.pushAvailable && !result.isLoading && (
              <p className="calwire-quiet">{labels.noPush}</p>
            )}
          </div>
        </details>
      )}
      {!hidden && (
        <div className="calwire-sync-foot">
          <FreshnessLine result={result} hasContent={!result.isLoading} moment={moment} words={words} />
          {result.hasCalendarAccess && <SyncNow result={result} calendars={calendars} labels={labels} />}
        </div>
      )}
    </Frame>
  );
}

function summaryOf({ connections, calendars }: UseSyncStatusResult, labels: Labels): string {
  const broken = brokenOf(connections).length;
  if (broken > 0) return labels.needsAttention(broken);
  if (connections.some(({ state }) => state === 'calendar_off')) return labels.states.calendar_off;
  if (connections.some(({ state }) => state === 'importing')) return labels.states.importing;
  return calendars.some(({ mode }) => mode === 'stale' || mode === 'paused') ? labels.working : labels.allGood;
}

function toneOf({ connections, calendars, isLoading }: UseSyncStatusResult): 'good' | 'waiting' | 'bad' {
  if (brokenOf(connections).length > 0 || connections.some(({ state }) => state === 'calendar_off')) return 'bad';
  const waiting = isLoading || connections.some(({ state }) => state === 'importing' || state === 'delayed');
  return waiting || calendars.some(({ mode }) => mode === 'stale' || mode === 'paused') ? 'waiting' : 'good';
}

export const STATE_TONES = {
  healthy: 'good',
  importing: 'waiting',
  delayed: 'waiting',
  reauth_required: 'bad',
  scope_missing: 'bad',
  calendar_off: 'bad',
  disconnected: 'bad',
} as const;

interface AccountsProps {
  connections: readonly ConnectionInfo[];
  labels: Labels;
  returnTo: string | undefined;
}

function Accounts({ connections, labels, returnTo }: AccountsProps): ReactElement | null {
  if (connections.length === 0) return null;
  return (
    <ul className="calwire-accounts" aria-label={labels.accounts}>
      {connections.map(({ id, email, state }) => (
        <li key={id} data-tone={STATE_TONES[state]}>
          <p className="calwire-account-head">
            <span className="calwire-account-name">
              <Foreign>{plainLine(email)}</Foreign>
            </span>
            <span className="calwire-state">{labels.states[state]}</span>
          </p>
          <p className="calwire-quiet">{labels.remedies[state]}</p>
          {(state === 'reauth_required' || state === 'scope_missing' || state === 'disconnected') && (
            <ConnectButton labels={labels} text={labels.reconnect} returnTo={returnTo} connectionId={id} />
          )}
        </li>
      ))}
    </ul>
  );
}

interface CalendarTableProps {
  calendars: readonly Freshness[];
  infos: readonly CalendarInfo[];
  moment: Moment;
  words: Words;
}

function CalendarTable({
  calendars,
  infos,
  moment,
  words: { formats, labels },
}: CalendarTableProps): ReactElement | null {
  if (calendars.length === 0) return null;
  const byId = new Map(infos.map((info) => [info.id, info]));
  return (
    <ul className="calwire-modes" aria-label={labels.calendars}>
      {calendars.map(({ calendarId, mode, asOf }) => {
        const info = byId.get(calendarId);
        return (
          <li key={calendarId} style={eventStyle(colourOf({ colorId: null }, info))}>
            <span className="calwire-swatch" aria-hidden="true" />
            <span className="calwire-clamp-1">
              <Foreign>{plainLine(info?.summary) || labels.untitled}</Foreign>
            </span>
            <span className="calwire-quiet">
              {labels.modes[mode]} · {asOf ? labels.asOf(formats.moment(asOf, moment.now)) : labels.neverSynced}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

interface SyncNowProps {
  result: UseSyncStatusResult;
  calendars: readonly Freshness[];
  labels: Labels;
}

/** Requests a sync, and shows it as running until every calendar has been pulled. */
function SyncNow({ result, calendars, labels }: SyncNowProps): ReactElement {
  const [before, setBefore] = useState<readonly Freshness[] | null>(null);
  const { error } = result;
  const latest = useRef(result);
  const finished = before !== null && calendars.every((calendar) => isNewer(calendar, before));
  // A failed request has no result to wait for.
  if (before && error) setBefore(null);
  const syncing = before !== null && !finished && !error;

  useEffect(() => {
    latest.current = result;
  });

  useEffect(() => {
    if (!syncing) return;
    // A pull without changes sends no message, so the status is polled.
    const poll = setInterval(() => void latest.current.refetch(), REFETCH_EVERY);
    const giveUp = setTimeout(() => {
      setBefore(null);
    }, SYNC_TIMEOUT);
    return () => {
      clearInterval(poll);
      clearTimeout(giveUp);
    };
  }, [syncing]);

  const start = () => {
    setBefore(calendars);
    void result.syncNow();
  };

  return (
    <span className="calwire-sync-now">
      <span role="status" className="calwire-quiet">
        {finished && labels.synced}
      </span>
      <button
        type="button"
        className="calwire-button"
        data-busy={syncing}
        aria-disabled={syncing}
        onClick={() => {
          if (!syncing) start();
        }}
      >
        <RefreshIcon />
        {syncing ? labels.syncing : labels.syncNow}
      </button>
      {error && (
        <span className="calwire-error" role="alert">
          {error.message}
        </span>
      )}
    </span>
  );
}

/** Compares server times, because the browser's clock may be wrong. A paused calendar is not pulled. */
function isNewer({ calendarId, asOf, mode }: Freshness, before: readonly Freshness[]): boolean {
  if (mode === 'paused') return true;
  const old = before.find((calendar) => calendar.calendarId === calendarId)?.asOf;
  return asOf !== null && (!old || new Date(asOf) > new Date(old));
}
