import { createTRPCClient, httpBatchLink, splitLink, type TRPCClient } from '@trpc/client';

import type { AppRouter } from '../generated/trpc.js';
import { CalwireError, signedOut } from './error.js';

export type Api = TRPCClient<AppRouter>;

export type GetAuthToken = () => string | null | undefined | Promise<string | null | undefined>;

export interface ApiOptions {
  apiUrl: string;
  getToken: () => Promise<string>;
}

/** Some proxies reject longer URLs. */
const MAX_URL_LENGTH = 2083;
/** The server's limit of calls per batch. */
const MAX_ITEMS = 10;

export function createApi({ apiUrl, getToken }: ApiOptions): Api {
  const url = trpcUrl(apiUrl);
  const headers = async () => ({ Authorization: `Bearer ${await getToken()}` });
  const common = { url, headers, maxItems: MAX_ITEMS, maxURLLength: MAX_URL_LENGTH };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ path }) => path === 'calendar.google.connect',
        // A cookie binds the consent flow to this browser. A cross-origin response sets it only with credentials.
        true: httpBatchLink({
          ...common,
          fetch: (input, init) => fetch(input, { ...(init as RequestInit), credentials: 'include' }),
        }),
        false: splitLink({
          // POST where the input is too long for a URL. Otherwise GET, which proxies retry when a server goes down.
          condition: ({ input }) => encodeURIComponent(JSON.stringify(input)).length > MAX_URL_LENGTH / 2,
          true: httpBatchLink({ ...common, methodOverride: 'POST' }),
          false: httpBatchLink(common),
        }),
      }),
    ],
  });
}

export function trpcUrl(apiUrl: string): string {
  return `${apiUrl.replace(/\/+$/, '')}/trpc`;
}

/** The token of this user. Rejects another user's. */
export async function tokenOf(userId: string, getAuthToken: GetAuthToken): Promise<string> {
  const token = await getAuthToken();
  if (!token) throw signedOut();
  const subject = subjectOf(token);
  // The application has switched users: requests of the former one must not load the other's events.
  if (subject !== undefined && subject !== userId) throw new CalwireError('UNAUTHORIZED', 'Another user is signed in.');
  return token;
}

/** The token's subject, unverified; undefined when the token cannot be parsed. */
export function subjectOf(token: string): string | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof claims.sub === 'string' ? claims.sub : undefined;
  } catch {
    return undefined;
  }
}
