import { useMemo } from 'react';

/** Keeps the identity of a list that the caller creates in every render. */
export function useStableIds(ids: readonly string[] | undefined): string[] | undefined {
  const key = ids && JSON.stringify(ids);
  return useMemo(() => (key === undefined ? undefined : (JSON.parse(key) as string[])), [key]);
}
