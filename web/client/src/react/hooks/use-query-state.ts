import type { UseQueryResult } from '@tanstack/react-query';
import { useCallback, useState } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { UseSessionResult } from '../context.js';
import type { LiveResult } from './live-result.js';

/** The fields of a `LiveResult` that follow from a query, all but its freshness. */
export function useQueryState<T>(
  { state }: UseSessionResult,
  query: UseQueryResult<T, CalwireError>,
): Omit<LiveResult, 'asOf' | 'mode'> {
  const { live } = state;
  // Data restored from the last visit is older than this page.
  const [mountedAt] = useState(() => Date.now());
  const fromSnapshot = state.source !== 'server' && query.data !== undefined && query.dataUpdatedAt < mountedAt;
  const { refetch: refetchQuery } = query;
  const refetch = useCallback(async () => {
    await refetchQuery();
  }, [refetchQuery]);
  const error = query.error ?? (query.data === undefined ? state.error : null);
  const isLoading = query.data === undefined && !error && live !== 'signedOut' && live !== 'failed';
  return { live, isLoading, fromSnapshot, error, refetch };
}
