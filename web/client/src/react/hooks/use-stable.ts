import { useMemo } from 'react';

/** Keeps the identity of a list that the caller creates in every render. */
export function useStableIds<T extends string>(ids: readonly T[] | undefined): T[] | undefined {
  const key = ids && JSON.stringify(ids);
  return useMemo(() => (key === undefined ? undefined : (JSON.parse(key) as T[])), [key]);
}
