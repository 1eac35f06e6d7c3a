import { useMemo } from 'react';

/** Keeps the identity of a value of plain JSON that the caller creates in every render. */
export function useStable<T>(value: T): T {
  const key = JSON.stringify(value);
  return useMemo(() => JSON.parse(key) as T, [key]);
}
