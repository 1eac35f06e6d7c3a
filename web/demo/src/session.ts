// The URLs and user tokens from `cargo xtask up`. A real application uses its own sign-in instead.

export interface Session {
  users: string[];
  /** Absent with real Google. */
  emulatorUrl: string | null;
  apiUrl: string;
  wsUrl: string;
}

export async function loadSession(signal: AbortSignal): Promise<Session> {
  const response = await fetch('/demo/session', { signal, cache: 'no-store' });
  if (!response.ok) throw new Error(`The page’s origin answered ${response.status} to /demo/session.`);
  const session = (await response.json()) as Session;
  return import.meta.env.DEV ? { ...session, ...ownOrigin() } : session;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The services accept only one origin. If the page was opened under another name of this machine, redirects to that origin
 * and returns true.
 */
export function goToOrigin({ apiUrl }: Session): boolean {
  const [there, here] = [new URL(apiUrl), new URL(window.location.href)];
  if (there.hostname === here.hostname || ![there, here].every((url) => LOOPBACK.includes(url.hostname))) return false;
  here.hostname = there.hostname;
  window.location.replace(here);
  return true;
}

/** `npm run dev` proxies the services on its own origin. */
function ownOrigin(): Pick<Session, 'apiUrl' | 'wsUrl'> {
  const { origin } = window.location;
  return { apiUrl: origin, wsUrl: `${origin.replace(/^http/, 'ws')}/connection/websocket` };
}

/** A token is renewed this long before it expires, in milliseconds. */
const MARGIN = 30_000;

/** The user's token, cached until shortly before it expires. */
export function tokensOf(user: string): () => Promise<string> {
  let cached: { token: Promise<string>; until: number } | null = null;
  return () => {
    if (cached !== null && Date.now() < cached.until) return cached.token;
    const fetched = { token: fetchToken(user), until: Infinity };
    cached = fetched;
    fetched.token.then(
      (token) => {
        fetched.until = expiryOf(token) - MARGIN;
      },
      () => {
        fetched.until = 0;
      },
    );
    return fetched.token;
  };
}

async function fetchToken(user: string): Promise<string> {
  const response = await fetch(`/demo/token?${new URLSearchParams({ user }).toString()}`, { cache: 'no-store' });
  if (!response.ok) throw new Error(`No token for ${user}: the page’s origin answered ${response.status}.`);
  return ((await response.json()) as { token: string }).token;
}

/** The `exp` of a JWT in milliseconds; 0 if it has none, so that the token is not cached. */
function expiryOf(token: string): number {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : 0;
  } catch {
    return 0;
  }
}
