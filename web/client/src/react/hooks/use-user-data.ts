import { useCallback } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { UserData } from '../../core/export-data.js';
import type { DeleteData } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useAction } from './use-action.js';

export type { UserData } from '../../core/export-data.js';

export interface UseExportDataResult {
  /** All stored data of the user; null if it could not be loaded. */
  exportData: () => Promise<UserData | null>;
  isPending: boolean;
  error: CalwireError | null;
}

/** Exports all stored data of the user. */
export function useExportData(): UseExportDataResult {
  const { session } = useSession();
  const { run, isPending, error } = useAction(session);
  const exportData = useCallback(
    () => run(async ({ api }) => (await import('../../core/export-data.js')).exportData(api)),
    [run],
  );
  return { exportData, isPending, error };
}

export interface UseDeleteDataResult {
  /** Permanently deletes all stored data of the user. Resolves to the server's receipt, or null if it failed. */
  deleteData: () => Promise<DeleteData | null>;
  isPending: boolean;
  error: CalwireError | null;
}

/** Disconnects all accounts and deletes all stored data of the user. */
export function useDeleteData(): UseDeleteDataResult {
  const { session } = useSession();
  const { run, isPending, error } = useAction(session);
  const deleteData = useCallback(
    () =>
      run(async (session) => {
        const receipt = await session.api.calendar.google.deleteData.mutate();
        await session.refresh();
        return receipt;
      }),
    [run],
  );
  return { deleteData, isPending, error };
}
