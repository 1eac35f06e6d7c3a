import { useCallback, useState } from 'react';

import { here, navigate } from '../../core/navigate.js';
import { usePresent } from '../context.js';
import type { ConnectAnswer } from './answers.js';
import { useAction } from './use-action.js';

/** Connects and disconnects Google accounts. */
export function useConnect(): ConnectAnswer {
  const { session } = usePresent();
  const { run, isPending, error } = useAction(session);
  // The page is still there for a moment after it was told to leave.
  const [leaving, setLeaving] = useState(false);

  const connect = useCallback(
    ({ returnTo }: { returnTo?: string | undefined } = {}) =>
      run(async ({ api }) => {
        const { url } = await api.calendar.google.connect.mutate({ returnTo: returnTo ?? here() });
        setLeaving(true);
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
  return { connect, disconnect, isPending: isPending || leaving, error };
}
