import type { UseQueryResult } from '@tanstack/react-query';
import { useCallback, useState } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { Present } from '../context.js';
import type { Answer } from './answers.js';

/** What every answer that comes through the query cache has in common, but for how fresh it is. */
export function useList<T>({ state }: Present, query: UseQueryResult<T, CalwireError>): Omit<Answer, 'asOf' | 'mode'> {
  const { live } = state;
  // What was written into the cache from the last visit is older than this page.
  const [since] = useState(() => Date.now());
  const fromSnapshot = state.source !== 'server' && query.data !== undefined && query.dataUpdatedAt < since;
  const { refetch: ask } = query;
  const refetch = useCallback(async () => {
    await ask();
  }, [ask]);
  const error = query.error ?? (query.data === undefined ? state.error : null);
  const isLoading = query.data === undefined && !error && live !== 'signedOut' && live !== 'failed';
  return { live, isLoading, fromSnapshot, error, refetch };
}
