import { useCallback } from 'react';

import type { CalwireError } from '../../core/error.js';
import { here, navigate } from '../../core/navigate.js';
import type { Disconnect } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useAction } from './use-action.js';

export interface UseConnectResult {
  /**
   * Opens Google's consent page in place of this one. The browser returns to `returnTo`, a path of this application.
   * `connectionId`: the account to connect again, which Google's page preselects.
   */
  connect(options?: { returnTo?: string; connectionId?: string }): Promise<void>;
  /** Disconnects one Google account, or all of the user's. Resolves to the server's receipts, or null if it failed. */
  disconnect: (connectionId?: string) => Promise<Disconnect | null>;
  isPending: boolean;
  error: CalwireError | null;
}

/** Connects and disconnects Google accounts. */
export function useConnect(): UseConnectResult {
  const { session } = useSession();
  const { run, isPending, error } = useAction(session);

  const connect = useCallback(
    ({
      returnTo = defaultReturnTo(),
      connectionId,
    }: { returnTo?: string | undefined; connectionId?: string | undefined } = {}) =>
      run(async ({ api }) => {
        const { url } = await api.calendar.google.connect.mutate({ returnTo, connectionId });
        void run(leavingPage);
        navigate(url);
      }).then(() => undefined),
    [run],
  );
  const disconnect = useCallback(
    (connectionId?: string) =>
      run(async (session) => {
        const { google } = session.api.calendar;
        const receipt = await google.disconnect.mutate({ connectionId });
        await session.refresh();
        return receipt;
      }),
    [run],
  );
  return { connect, disconnect, isPending, error };
}

/** Paths that the server rejects as `returnTo`; its `ReturnTo::parse` documents why. */
const REJECTED_PATH = /^.{513}|[^!-~]|\\|%0[0ad]|^[^?#]*(\/\/|%(2f|5c|2e|0|1|7f))/i;

/** The current location if the server accepts it, else its path alone. */
function defaultReturnTo(): string | undefined {
  return [here(), window.location.pathname].find((path) => !REJECTED_PATH.test(path));
}

/** If the page is still there after this many milliseconds, the user has cancelled the navigation. */
const LEAVING_TIMEOUT = 10_000;

/** Keeps the action pending after `navigate`, until the page is shown again or the navigation was cancelled. */
function leavingPage(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, LEAVING_TIMEOUT);
    addEventListener('pageshow', () => resolve(), { once: true });
  });
}
