/** Loaded when it is needed. */
import type { DataExport } from '../generated/types.js';
import type { Api } from './api.js';

/** All pages of an export as one. */
export type UserData = Omit<DataExport, 'nextCursor'>;

/** The other lists are on the first page. */
const PAGED = ['events', 'eventVersions', 'writeIntents', 'syncRounds', 'messages'] as const;

export async function exportData({ calendar: { google } }: Api): Promise<UserData> {
  const { nextCursor, ...data } = await google.exportData.query();
  let cursor = nextCursor;
  while (cursor !== null) {
    const page: DataExport = await google.exportData.query({ cursor });
    for (const list of PAGED) data[list].push(...page[list]);
    cursor = page.nextCursor;
  }
  return data;
}
