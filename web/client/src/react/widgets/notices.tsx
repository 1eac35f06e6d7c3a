import type { ReactElement, ReactNode } from 'react';

import type { ConnectionInfo } from '../../generated/types.js';
import { plainLine } from '../format/index.js';
import { type LiveResult, useConnect, useSyncStatus } from '../hooks/index.js';
import { Foreign } from './base.js';
import { CalendarIcon, WarningIcon } from './icons.js';
import type { Labels } from './labels.js';

interface ConnectButtonProps {
  labels: Labels;
  text: string;
  returnTo?: string | undefined;
  /** The account to connect again. */
  connectionId?: string;
  quiet?: boolean;
}

/** Opens Google's consent page. */
export function ConnectButton({ labels, text, returnTo, connectionId, quiet }: ConnectButtonProps): ReactElement {
  const connecting = useConnect();
  const { isPending, error } = connecting;
  const go = () =>
    connecting.connect({
      ...(returnTo !== undefined && { returnTo }),
      ...(connectionId !== undefined && { connectionId }),
    });
  return (
    <>
      <button
        type="button"
        className={quiet ? 'calwire-button' : 'calwire-button calwire-primary'}
        aria-disabled={isPending}
        onClick={() => {
          if (!isPending) void go();
        }}
      >
        {isPending ? labels.connecting : text}
      </button>
      {error && (
        <span className="calwire-error" role="alert">
          {error.message}
        </span>
      )}
    </>
  );
}

interface NoticeProps {
  title: string;
  text?: string;
  icon?: ReactNode;
  children?: ReactNode;
}

/** Explains why there are no events, and offers a remedy. */
export function Notice({ title, text, icon = <CalendarIcon />, children }: NoticeProps): ReactElement {
  return (
    <div className="calwire-notice">
      <span className="calwire-notice-icon">{icon}</span>
      <p className="calwire-notice-title">{title}</p>
      {text && <p className="calwire-notice-text">{text}</p>}
      {children && <div className="calwire-notice-action">{children}</div>}
    </div>
  );
}

type Access = Pick<LiveResult, 'isLoading' | 'error' | 'live' | 'mode' | 'refetch'> & {
  connected: boolean;
  hasCalendarAccess: boolean;
};

/** Why events cannot be shown; null if they can or are loading. */
export function obstacleOf(result: Access): 'signedOut' | 'failed' | 'notConnected' | 'noAccess' | null {
  if (result.live === 'signedOut') return 'signedOut';
  if (result.isLoading) return null;
  if (result.connected) return result.hasCalendarAccess ? null : 'noAccess';
  // Without a mode the server has not answered, so it is unknown whether an account is connected.
  return result.mode === null ? 'failed' : 'notConnected';
}

interface ObstacleProps {
  result: Access;
  labels: Labels;
  returnTo?: string | undefined;
}

export function Obstacle({ result, labels, returnTo }: ObstacleProps): ReactElement | null {
  switch (obstacleOf(result)) {
    case null:
      return null;
    case 'signedOut':
      return <Notice title={labels.signedOutTitle} text={labels.signedOut} />;
    case 'notConnected':
      return (
        <Notice title={labels.notConnectedTitle} text={labels.notConnected}>
          <ConnectButton labels={labels} text={labels.connect} returnTo={returnTo} />
        </Notice>
      );
    case 'noAccess':
      return (
        <Notice title={labels.noAccessTitle} text={labels.noAccess} icon={<WarningIcon />}>
          <ConnectButton labels={labels} text={labels.allowAccess} returnTo={returnTo} />
        </Notice>
      );
    case 'failed':
      return (
        <Notice title={labels.failedTitle} text={result.error?.message ?? labels.failed} icon={<WarningIcon />}>
          <button type="button" className="calwire-button" onClick={() => void result.refetch()}>
            {labels.retry}
          </button>
        </Notice>
      );
  }
}

/** Shown above events when others may be missing because of a failure. */
export function FailureNotice({ result, labels }: Omit<ObstacleProps, 'returnTo'>): ReactElement | null {
  const { error } = result;
  if (!error) return null;
  return (
    <div className="calwire-broken" role="alert">
      <div className="calwire-banner">
        <WarningIcon />
        <p>{error.message}</p>
        <button type="button" className="calwire-button" onClick={() => void result.refetch().catch(() => undefined)}>
          {labels.retry}
        </button>
      </div>
    </div>
  );
}

/** Accounts that the user has to reconnect. */
export function brokenOf(connections: readonly ConnectionInfo[]): ConnectionInfo[] {
  return connections.filter(isBroken);
}

export function isBroken({ state }: ConnectionInfo): boolean {
  return state === 'reauth_required' || state === 'scope_missing';
}

/** Shown above events for accounts that are not updated until the user reconnects them. */
export function ReconnectNotice({
  labels,
  returnTo,
}: {
  labels: Labels;
  returnTo?: string | undefined;
}): ReactElement | null {
  const { connections } = useSyncStatus();
  const broken = brokenOf(connections);
  if (broken.length === 0) return null;
  return (
    <ul className="calwire-broken">
      {broken.map(({ id, email, state }) => (
        <li key={id} className="calwire-banner">
          <WarningIcon />
          <p>
            <Foreign>{(state === 'reauth_required' ? labels.reauth : labels.scopeMissing)(plainLine(email))}</Foreign>
          </p>
          <ConnectButton labels={labels} text={labels.reconnect} returnTo={returnTo} connectionId={id} quiet />
        </li>
      ))}
    </ul>
  );
}
