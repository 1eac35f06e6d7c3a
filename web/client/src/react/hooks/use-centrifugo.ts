import { useCallback, useInsertionEffect, useRef, useSyncExternalStore } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { LiveState } from '../../core/live-state.js';
import type { ChannelState } from '../../core/realtime.js';
import { useCalwireContext, usePresent } from '../context.js';

export interface CentrifugoOptions {
  /** A token for the channel, unless anybody may listen, or it is the user's own `calendar:<userId>`. */
  getToken?: ((channel: string) => Promise<string>) | undefined;
}

export interface CentrifugoAnswer {
  state: LiveState;
  error: CalwireError | null;
  /** Tries again now, whatever was refused before. */
  retry: () => void;
}

/**
 * Listens on a channel of the user's socket: one socket and one subscription, however many components listen. null: on
 * none. The functions may be written inline; the latest ones are called.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows what its channel carries
export function useCentrifugo<T>(
  channel: string | null,
  onMessage: (data: T, ctx: { offset?: number }) => void,
  options: CentrifugoOptions = {},
): CentrifugoAnswer {
  const { retry } = useCalwireContext();
  const { session, state } = usePresent();
  const realtime = session?.realtime;
  const latest = useRef({ onMessage, getToken: options.getToken });
  useInsertionEffect(() => {
    latest.current = { onMessage, getToken: options.getToken };
  });
  const withToken = options.getToken !== undefined;

  const listen = useCallback(
    (tell: () => void) => {
      if (!realtime || channel === null) return () => undefined;
      const stop = realtime.listen(channel, {
        onMessage: (data, ctx) => latest.current.onMessage(data as T, ctx),
        getToken: withToken ? (channel) => latest.current.getToken?.(channel) ?? Promise.resolve('') : undefined,
      });
      const unwatch = realtime.watch(channel, tell);
      return () => {
        unwatch();
        stop();
      };
    },
    [realtime, channel, withToken],
  );
  const none: ChannelState | null = realtime && channel !== null ? null : NONE[state.live];
  const get = () => none ?? realtime?.stateOf(channel ?? '') ?? NONE.connecting;
  const { live, error } = useSyncExternalStore(listen, get, get);
  return { state: live, error, retry };
}

/** What to say where there is no channel: how the connection is. */
const NONE: Record<LiveState, ChannelState> = {
  connecting: { live: 'connecting', error: null },
  live: { live: 'live', error: null },
  reconnecting: { live: 'reconnecting', error: null },
  offline: { live: 'offline', error: null },
  signedOut: { live: 'signedOut', error: null },
  failed: { live: 'failed', error: null },
};
