import type { QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useSyncExternalStore } from 'react';

import type { Session, SessionState } from '../core/session.js';

export interface CalwireContextValue {
  session: Session | null;
  /** The state to show while there is no session. */
  vacant: SessionState;
  cache: QueryClient;
  retry: () => void;
  signOut: () => Promise<void>;
}

export const CalwireContext = createContext<CalwireContextValue | null>(null);

export function useCalwireContext(): CalwireContextValue {
  const value = useContext(CalwireContext);
  if (!value) throw new Error('Calwire hooks and widgets must be used within a <CalwireProvider>.');
  return value;
}

export interface UseSessionResult {
  /** Null: no user is signed in, or it is not known yet. */
  session: Session | null;
  userId: string | null;
  state: SessionState;
  cache: QueryClient;
}

const neverChanges = () => () => undefined;

/** The signed-in user's session and its current state. */
export function useSession(): UseSessionResult {
  const { session, vacant, cache } = useCalwireContext();
  const get = session ? session.state.get : () => vacant;
  const state = useSyncExternalStore(session?.state.subscribe ?? neverChanges, get, get);
  const active = state.ended ? null : session;
  return { session: active, userId: active?.userId ?? null, state, cache };
}
