import { QueryClient, QueryClientContext } from '@tanstack/react-query';
import {
  type ReactNode,
  useContext,
  useEffect,
  useInsertionEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';

import type { GetAuthToken } from '../core/api.js';
import { NO_EDITS } from '../core/edit-outcome.js';
import { Identity, type SignedInUser } from '../core/identity.js';
import { EMPTY } from '../core/live-store.js';
import { Session, type SessionState, SIGNED_OUT } from '../core/session.js';
import { CalwireContext, type CalwireContextValue } from './context.js';

export interface CalwireProviderProps {
  /** The URL of Calwire's API, such as `https://calwire.example.com`. */
  apiUrl: string;
  /** The URL of Centrifugo's WebSocket, such as `wss://calwire.example.com/connection/websocket`. */
  wsUrl: string;
  /**
   * Returns the application's JWT of the signed-in user, or null or undefined when signed out. Called whenever a token is
   * needed, so tokens may be short-lived. May be async.
   */
  getAuthToken: GetAuthToken;
  /**
   * The signed-in user: the `sub` of the tokens. Null: signed out. When it changes, nothing of the former user is shown.
   * Without it, the user is read from the token, on every call and whenever the page becomes visible.
   */
  userId?: string | null | undefined;
  /** Default: the client of the surrounding QueryClientProvider, else an own one. */
  queryClient?: QueryClient | undefined;
  /** False: save nothing in this browser's IndexedDB. */
  snapshot?: boolean | undefined;
  children: ReactNode;
}

export function CalwireProvider(props: CalwireProviderProps): ReactNode {
  const { apiUrl, wsUrl, getAuthToken, userId: givenUserId, snapshot = true, children } = props;
  const cache = useCache(props.queryClient);
  const identity = useIdentity(getAuthToken);
  const byToken = useSyncExternalStore(identity.user.subscribe, identity.user.get, identity.user.get);
  // A new generation is a new session, after `retry` on an ended one.
  const [generation, setGeneration] = useState(0);
  const { userId, error }: SignedInUser = givenUserId === undefined ? byToken : { userId: givenUserId, error: null };

  const session = useMemo(
    () => (userId ? createSession({ apiUrl, wsUrl, userId, identity, cache, snapshot, generation }) : null),
    [apiUrl, wsUrl, userId, identity, cache, snapshot, generation],
  );
  useRetained(session);
  useEffect(() => (givenUserId === undefined ? identity.watch() : undefined), [identity, givenUserId]);
  useEffect(() => {
    cache.mount();
    return () => cache.unmount();
  }, [cache]);

  const value = useMemo<CalwireContextValue>(
    () => ({
      session,
      vacant: vacant({ userId, error }),
      cache,
      retry: () => {
        if (session?.state.get().ended) setGeneration((before) => before + 1);
        else session?.retry();
        void identity.check();
      },
      signOut: async () => {
        identity.signOut();
        await session?.end();
      },
    }),
    [session, userId, error, cache, identity],
  );
  return <CalwireContext.Provider value={value}>{children}</CalwireContext.Provider>;
}

interface SessionParts {
  apiUrl: string;
  wsUrl: string;
  userId: string;
  identity: Identity;
  cache: QueryClient;
  snapshot: boolean;
  generation: number;
}

function createSession({ apiUrl, wsUrl, userId, identity, cache, snapshot }: SessionParts): Session {
  return new Session({ apiUrl, wsUrl, userId, getAuthToken: identity.getAuthToken, cache, remember: snapshot });
}

function vacant({ userId, error }: SignedInUser): SessionState {
  const nothing = { ...EMPTY, edits: NO_EDITS, ended: false };
  if (error) return { ...nothing, error, live: error.retryable ? 'offline' : 'failed' };
  return userId === undefined ? { ...nothing, live: 'connecting' } : SIGNED_OUT;
}

function useCache(given: QueryClient | undefined): QueryClient {
  const surrounding = useContext(QueryClientContext);
  const [own] = useState(() => new QueryClient());
  return given ?? surrounding ?? own;
}

/** Uses the function of the latest render. A new function does not create a new session. */
function useIdentity(getAuthToken: GetAuthToken): Identity {
  const [identity] = useState(() => new Identity(getAuthToken));
  useInsertionEffect(() => {
    identity.setSource(getAuthToken);
  });
  return identity;
}

/** Keeps the session open while mounted. If no user follows, this one has signed out; if another does, only in this page. */
function useRetained(session: Session | null): void {
  const previous = useRef<Session | null>(null);
  useEffect(() => {
    const before = previous.current;
    previous.current = session;
    if (before && before.userId !== session?.userId) void before.end(!session);
    return session?.retain();
  }, [session]);
}
