import type { QueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';

export interface CalwireProviderProps {
  apiUrl: string;
  wsUrl: string;
  /** The host application's JWT of the signed-in user; null or undefined when nobody is signed in. May be async. */
  getAuthToken: () => string | null | undefined | Promise<string | null | undefined>;
  /** Who is signed in, if the application knows: switching it starts clean. Without it the token's `sub` says. null: signed out. */
  userId?: string | null;
  /** Default: the surrounding QueryClientProvider's, else one of its own. */
  queryClient?: QueryClient;
  /** false: keep nothing in IndexedDB. */
  snapshot?: boolean;
  children: ReactNode;
}

export function CalwireProvider({ children }: CalwireProviderProps): ReactNode {
  return children;
}
