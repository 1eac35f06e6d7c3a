import { skipToken, useQuery, type UseQueryResult } from '@tanstack/react-query';

import type { Api } from '../../core/api.js';
import { CalwireError } from '../../core/error.js';
import type { Present } from '../context.js';

/** Messages tell when an answer is out of date; this is for what no message tells. */
const STALE_AFTER = 5 * 60_000;
const RETRIES = 3;

export interface CalwireQuery<T> {
  key: readonly unknown[];
  ask: (api: Api, signal: AbortSignal) => Promise<T>;
  /** false: there is nothing to ask now. */
  enabled?: boolean;
  staleTime?: number;
  /** Asks again so often while the page is visible. */
  every?: number;
  /** Goes on showing the answer to the last question of this user until there is one. */
  keepLast?: boolean;
}

/** A question to the server through the query cache. */
export function useCalwireQuery<T>(
  { session, cache }: Present,
  query: CalwireQuery<T>,
): UseQueryResult<T, CalwireError> {
  const { key, ask, enabled = true, staleTime = STALE_AFTER, every, keepLast } = query;
  return useQuery<T, CalwireError>(
    {
      queryKey: key,
      queryFn: session && enabled ? ({ signal }) => inWords(ask(session.api, signal)) : skipToken,
      staleTime,
      refetchInterval: every ?? false,
      retry: (failures, error) => failures < RETRIES && error.retryable,
      throwOnError: false,
      placeholderData: (last, from) => (keepLast && from?.queryKey[1] === key[1] ? last : undefined),
    },
    cache,
  );
}

/** Failures as errors that can be shown. */
export async function inWords<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw CalwireError.of(error);
  }
}
