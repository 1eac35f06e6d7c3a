import type { QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useSyncExternalStore } from 'react';

import type { Session, SessionState } from '../core/session.js';

export interface CalwireContextValue {
  session: Session | null;
  /** What is to be seen while there is no session. */
  vacant: SessionState;
  cache: QueryClient;
  retry: () => void;
  signOut: () => Promise<void>;
}

export const CalwireContext = createContext<CalwireContextValue | null>(null);

export function useCalwireContext(): CalwireContextValue {
  const value = useContext(CalwireContext);
  if (!value) throw new Error('Calwire hooks and widgets have to be inside a <CalwireProvider>.');
  return value;
}

export interface Present {
  /** null: nobody is signed in, or it is not known yet who. */
  session: Session | null;
  userId: string | null;
  state: SessionState;
  cache: QueryClient;
}

const nothingToHear = () => () => undefined;

/** The signed-in user's session and its present state. */
export function usePresent(): Present {
  const { session, vacant, cache } = useCalwireContext();
  const get = session ? session.state.get : () => vacant;
  const state = useSyncExternalStore(session?.state.subscribe ?? nothingToHear, get, get);
  const present = state.ended ? null : session;
  return { session: present, userId: present?.userId ?? null, state, cache };
}
