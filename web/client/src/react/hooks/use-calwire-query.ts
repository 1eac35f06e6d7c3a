import { skipToken, useQuery, type UseQueryResult } from '@tanstack/react-query';

import type { Api } from '../../core/api.js';
import { CalwireError } from '../../core/error.js';
import type { UseSessionResult } from '../context.js';

/** Messages invalidate cached data. This covers changes for which the server sends no message. */
const STALE_AFTER = 5 * 60_000;
const RETRIES = 3;

export interface CalwireQuery<T> {
  key: readonly unknown[];
  load: (api: Api, signal: AbortSignal) => Promise<T>;
  /** False: do not load now. */
  enabled?: boolean;
  staleTime?: number;
  /** Milliseconds between reloads while the page is visible. */
  refetchEvery?: number;
  /** Keeps showing this user's previous result until the new one is loaded. */
  keepLast?: boolean;
}

/** A request to the server through the query cache. */
export function useCalwireQuery<T>(
  { session, cache }: UseSessionResult,
  query: CalwireQuery<T>,
): UseQueryResult<T, CalwireError> {
  const { key, load, enabled = true, staleTime = STALE_AFTER, refetchEvery, keepLast } = query;
  return useQuery<T, CalwireError>(
    {
      queryKey: key,
      queryFn: session && enabled ? ({ signal }) => withCalwireError(load(session.api, signal)) : skipToken,
      staleTime,
      refetchInterval: refetchEvery ?? false,
      retry: (failures, error) => failures < RETRIES && error.retryable,
      throwOnError: false,
      placeholderData: (last, from) => (keepLast && from?.queryKey[1] === key[1] ? last : undefined),
    },
    cache,
  );
}

function withCalwireError<T>(request: Promise<T>): Promise<T> {
  return request.catch((error: unknown) => {
    throw CalwireError.of(error);
  });
}
