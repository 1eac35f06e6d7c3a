// What `cargo xtask up` tells its page: where things are, and tokens of its users. An application of your own has its
// own sign-in instead.

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
 * The services accept browsers from one origin. A page that was opened by another name of this machine goes there;
 * true when it does.
 */
export function goToOrigin({ apiUrl }: Session): boolean {
  const [there, here] = [new URL(apiUrl), new URL(window.location.href)];
  if (there.hostname === here.hostname || ![there, here].every((url) => LOOPBACK.includes(url.hostname))) return false;
  here.hostname = there.hostname;
  window.location.replace(here);
  return true;
}

/** `npm run dev` has the services behind its own origin. */
function ownOrigin(): Pick<Session, 'apiUrl' | 'wsUrl'> {
  const { origin } = window.location;
  return { apiUrl: origin, wsUrl: `${origin.replace(/^http/, 'ws')}/connection/websocket` };
}

/** A token is asked for anew when it has less than this left, in milliseconds. */
const MARGIN = 30_000;

/** The user's token, kept until it is about to end. */
export function tokensOf(user: string): () => Promise<string> {
  let kept: { token: Promise<string>; until: number } | null = null;
  return () => {
    if (kept !== null && Date.now() < kept.until) return kept.token;
    const asked = { token: fetchToken(user), until: Infinity };
    kept = asked;
    asked.token.then(
      (token) => {
        asked.until = expiryOf(token) - MARGIN;
      },
      () => {
        asked.until = 0;
      },
    );
    return asked.token;
  };
}

async function fetchToken(user: string): Promise<string> {
  const response = await fetch(`/demo/token?${new URLSearchParams({ user }).toString()}`, { cache: 'no-store' });
  if (!response.ok) throw new Error(`No token for ${user}: the page’s origin answered ${response.status}.`);
  return ((await response.json()) as { token: string }).token;
}

/** The `exp` of a JWT, in milliseconds; of another token 0, so it is asked for each time. */
function expiryOf(token: string): number {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : 0;
  } catch {
    return 0;
  }
}
