/** What was done lately to keep the calendars current. */
import type { Mode } from '../generated/types.js';
import type { Api } from './api.js';

export type SyncActivityInput = { calendarIds?: string[] };

export type SyncActivity = { calendars: CalendarActivity[] };

export type CalendarActivity = {
  calendarId: string;
  mode: Mode;
  asOf: string | null;
  watch: { expiresAt: string } | null;
  nextPollAt: string | null;
  lastError: string | null;
  /** The newest first. */
  rounds: SyncRound[];
};

export type SyncRound = {
  number: number;
  cause: string;
  askedAt: string;
  startedAt: string;
  committedAt: string;
  publishedAt: string | null;
  outcome: string;
  pages: number;
  changed: number;
  deleted: number;
  seq: number | null;
  times: number;
  lastAt: string;
};

interface ActivityApi {
  getSyncActivity: { query: (input: SyncActivityInput, options: { signal: AbortSignal }) => Promise<SyncActivity> };
}

export function getSyncActivity(api: Api, input: SyncActivityInput, signal: AbortSignal): Promise<SyncActivity> {
  return (api.calendar.google as unknown as ActivityApi).getSyncActivity.query(input, { signal });
}
