import { useCallback } from 'react';

import { here, navigate } from '../../core/navigate.js';
import { usePresent } from '../context.js';
import type { ConnectAnswer } from './answers.js';
import { useAction } from './use-action.js';

/** Connects and disconnects Google accounts. */
export function useConnect(): ConnectAnswer {
  const { session } = usePresent();
  const { run, isPending, error } = useAction(session);

  const connect = useCallback(
    ({ returnTo = wayBack() }: { returnTo?: string | undefined } = {}) =>
      run(async ({ api }) => {
        const { url } = await api.calendar.google.connect.mutate({ returnTo });
        void run(leaving);
        navigate(url);
      }).then(() => undefined),
    [run],
  );
  const disconnect = useCallback(
    (connectionId?: string) =>
      run(async (session) => {
        const { google } = session.api.calendar;
        const receipt = await google.disconnect.mutate(connectionId === undefined ? undefined : { connectionId });
        await session.refresh();
        return receipt;
      }),
    [run],
  );
  return { connect, disconnect, isPending, error };
}

/** What the server does not lead back to: its `ReturnTo::parse` says why. */
const REFUSED = /^.{513}|[^!-~]|\\|%0[0ad]|^[^?#]*(\/\/|%(2f|5c|2e|0|1|7f))/i;

/** Here, or as near to it as the server leads back to. */
function wayBack(): string | undefined {
  return [here(), window.location.pathname].find((path) => !REFUSED.test(path));
}

/** After so many milliseconds the person has stopped it. */
const LEFT_WITHIN = 10_000;

/** The page is still there for a moment after it was told to leave, and there again when the person comes back to it. */
function leaving(): Promise<void> {
  return new Promise((stay) => {
    setTimeout(stay, LEFT_WITHIN);
    addEventListener('pageshow', () => stay(), { once: true });
  });
}
