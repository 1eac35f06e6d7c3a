import { useCallback } from 'react';

import type { Api } from '../../core/api.js';
import type { DataExport } from '../../generated/types.js';
import { usePresent } from '../context.js';
import type { DeleteDataAnswer, ExportDataAnswer, UserData } from './answers.js';
import { useAction } from './use-action.js';

/** Everything that is kept of the user, to take along. */
export function useExportData(): ExportDataAnswer {
  const { session } = usePresent();
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

/** The lists of a page go on where those of the page before ended. */
function append(data: UserData, page: DataExport): void {
  data.events.push(...page.events);
  data.eventVersions.push(...page.eventVersions);
  data.writeIntents.push(...page.writeIntents);
  data.syncRounds.push(...page.syncRounds);
  data.messages.push(...page.messages);
}

/** Ends everything: all accounts, all copies, all that is kept of the user here. */
export function useDeleteData(): DeleteDataAnswer {
  const { session } = usePresent();
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
