import { useCallback } from 'react';

import type { Api } from '../../core/api.js';
import type { CalwireError } from '../../core/error.js';
import type { DataExport, DeleteData } from '../../generated/types.js';
import { useSession } from '../context.js';
import { useAction } from './use-action.js';

/** All pages of an export as one. */
export type UserData = Omit<DataExport, 'nextCursor'>;

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
  const exportData = useCallback(() => run(({ api }) => allPages(api)), [run]);
  return { exportData, isPending, error };
}

async function allPages({ calendar: { google } }: Api): Promise<UserData> {
  const { nextCursor, ...data } = await google.exportData.query();
  let cursor = nextCursor;
  while (cursor !== null) {
    const page: DataExport = await google.exportData.query({ cursor });
    append(data, page);
    cursor = page.nextCursor;
  }
  return data;
}

/** Only these lists are paged. */
function append(data: UserData, page: DataExport): void {
  data.events.push(...page.events);
  data.eventVersions.push(...page.eventVersions);
  data.writeIntents.push(...page.writeIntents);
  data.syncRounds.push(...page.syncRounds);
  data.messages.push(...page.messages);
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
