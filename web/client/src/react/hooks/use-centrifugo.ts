import { useCallback, useInsertionEffect, useRef, useSyncExternalStore } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { LiveState } from '../../core/live-state.js';
import { useCalwireContext, useSession } from '../context.js';

export interface CentrifugoOptions {
  /** A token for the channel. Not needed for a public channel or the user's own `calendar:<userId>`. */
  getToken?: ((channel: string) => Promise<string>) | undefined;
}

export interface UseCentrifugoResult {
  state: LiveState;
  error: CalwireError | null;
  /** Tries again now, even after a refusal. */
  retry: () => void;
}

/**
 * Subscribes to a channel on the user's socket. Any number of components share one socket and one subscription per
 * channel. With a null channel it subscribes to nothing. The functions may be written inline; the latest ones are called.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows what its channel carries
export function useCentrifugo<T>(
  channel: string | null,
  onMessage: (data: T, ctx: { offset?: number }) => void,
  options: CentrifugoOptions = {},
): UseCentrifugoResult {
  const { retry } = useCalwireContext();
  const { session, state } = useSession();
  const realtime = session?.realtime;
  const latest = useRef({ onMessage, getToken: options.getToken });
  useInsertionEffect(() => {
    latest.current = { onMessage, getToken: options.getToken };
  });
  const withToken = options.getToken !== undefined;

  const listen = useCallback(
    (onChange: () => void) => {
      if (!realtime || channel === null) return () => undefined;
      const stop = realtime.listen(channel, {
        onMessage: (data, ctx) => latest.current.onMessage(data as T, ctx),
        getToken: withToken ? (channel) => latest.current.getToken?.(channel) ?? Promise.resolve('') : undefined,
      });
      const unwatch = realtime.watch(channel, onChange);
      return () => {
        unwatch();
        stop();
      };
    },
    [realtime, channel, withToken],
  );
  const get = () => (realtime && channel !== null ? realtime.stateOf(channel) : null);
  // Without a channel, the state of the connection is reported.
  const { live, error } = useSyncExternalStore(listen, get, get) ?? { live: state.live, error: null };
  return { state: live, error, retry };
}
