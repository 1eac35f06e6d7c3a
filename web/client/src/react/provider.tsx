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
import { Identity, type Who } from '../core/identity.js';
import { NOTHING } from '../core/live-store.js';
import { Session, type SessionState, SIGNED_OUT } from '../core/session.js';
import { NO_EDITS } from '../core/writes.js';
import { CalwireContext, type CalwireContextValue } from './context.js';

export interface CalwireProviderProps {
  /** Where Calwire's API is, such as `https://calwire.example.com`. */
  apiUrl: string;
  /** Centrifugo's WebSocket, such as `wss://calwire.example.com/connection/websocket`. */
  wsUrl: string;
  /**
   * The host application's JWT of the signed-in user; null or undefined when nobody is signed in. Called whenever one is
   * needed, so that it may be short-lived; may be async.
   */
  getAuthToken: GetAuthToken;
  /**
   * Who is signed in, if the application knows: the `sub` of its tokens. Switching it starts clean; null: signed out.
   * Without it the token says, which is asked when the page comes to the front and with every call.
   */
  userId?: string | null | undefined;
  /** Default: the surrounding QueryClientProvider's, else one of its own. */
  queryClient?: QueryClient | undefined;
  /** false: keep nothing in this browser's IndexedDB. */
  snapshot?: boolean | undefined;
  children: ReactNode;
}

export function CalwireProvider(props: CalwireProviderProps): ReactNode {
  const { apiUrl, wsUrl, getAuthToken, userId: givenUserId, snapshot = true, children } = props;
  const cache = useCache(props.queryClient);
  const identity = useIdentity(getAuthToken);
  const found = useSyncExternalStore(identity.who.subscribe, identity.who.get, identity.who.get);
  // A sign-out here lasts until the application says something else.
  const [generation, setGeneration] = useState(0);
  const { userId, error }: Who = givenUserId === undefined ? found : { userId: givenUserId, error: null };

  const session = useMemo(
    () => (userId ? openLater({ apiUrl, wsUrl, userId, identity, cache, snapshot, generation }) : null),
    [apiUrl, wsUrl, userId, identity, cache, snapshot, generation],
  );
  useSession(session);
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

function openLater({ apiUrl, wsUrl, userId, identity, cache, snapshot }: SessionParts): Session {
  return new Session({ apiUrl, wsUrl, userId, getAuthToken: identity.getAuthToken, cache, remember: snapshot });
}

function vacant({ userId, error }: Who): SessionState {
  const nothing = { ...NOTHING, edits: NO_EDITS, ended: false };
  if (error) return { ...nothing, error, live: error.retryable ? 'offline' : 'failed' };
  return userId === undefined ? { ...nothing, live: 'connecting' } : SIGNED_OUT;
}

function useCache(given: QueryClient | undefined): QueryClient {
  const surrounding = useContext(QueryClientContext);
  const [own] = useState(() => new QueryClient());
  return given ?? surrounding ?? own;
}

/** Asks the function of the latest render, without a new session when it is another one. */
function useIdentity(getAuthToken: GetAuthToken): Identity {
  const [identity] = useState(() => new Identity(getAuthToken));
  useInsertionEffect(() => {
    identity.askBy(getAuthToken);
  });
  return identity;
}

/** Keeps the session open while this is mounted. A user who is followed by none has signed out, by another in this page alone. */
function useSession(session: Session | null): void {
  const previous = useRef<Session | null>(null);
  useEffect(() => {
    const before = previous.current;
    previous.current = session;
    if (before && before.userId !== session?.userId) void before.end(!session);
    return session?.retain();
  }, [session]);
}
