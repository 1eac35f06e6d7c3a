import type {
  CalendarActivity,
  CalendarInfo,
  ConnectionInfo,
  DataExport,
  DeleteData,
  Disconnect,
  Event as CalendarEvent,
  Freshness,
  Mode,
} from '../../generated/types.js';
import type { CalwireError } from '../../core/error.js';
import type { LiveState } from '../../core/live-state.js';

/** What every hook tells beside its data: how fresh it is, and whether changes are heard of. */
export interface Answer {
  /** The data is as Google had it at this moment, or later: the least current calendar's. */
  asOf: string | null;
  /** How the least current calendar is kept current. */
  mode: Mode | null;
  live: LiveState;
  /** There is nothing to show yet. */
  isLoading: boolean;
  /** What is shown is the last known, and was not yet compared with the server. */
  fromSnapshot: boolean;
  error: CalwireError | null;
  refetch: () => Promise<void>;
}

export interface EventsAnswer extends Answer {
  events: CalendarEvent[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** There are more events than these. */
  truncated: boolean;
  calendars: Freshness[];
}

export interface CalendarsAnswer extends Answer {
  calendars: CalendarInfo[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** Whether these calendars are kept current and shown; the others stay as they are. */
  select(ids: string[], selected: boolean): Promise<void>;
}

export interface SyncStatusAnswer extends Answer {
  connections: ConnectionInfo[];
  calendars: Freshness[];
  connected: boolean;
  hasCalendarAccess: boolean;
  /** Google can reach this installation; otherwise it is asked every now and then. */
  pushAvailable: boolean;
  /** Asks Google now, for these calendars or for all; what changed comes by the socket. */
  syncNow(ids?: string[]): Promise<void>;
}

/** A connected Google account with its calendars. */
export interface Account extends ConnectionInfo {
  calendars: CalendarInfo[];
}

export interface AccountsAnswer extends Answer {
  /** In the order in which they were connected. */
  accounts: Account[];
  connected: boolean;
  hasCalendarAccess: boolean;
}

export interface SelectCalendarsAnswer {
  /** Whether these calendars are kept current and shown; the others stay as they are. */
  select: (ids: string[], selected: boolean) => Promise<void>;
  isPending: boolean;
  /** Why the last choice was taken back. */
  error: CalwireError | null;
}

export interface ExportDataAnswer {
  /** Everything that is kept of the user; null when it could not be had. */
  exportData: () => Promise<UserData | null>;
  isPending: boolean;
  error: CalwireError | null;
}

/** All pages of an export as one. */
export type UserData = Omit<DataExport, 'nextCursor'>;

export interface DeleteDataAnswer {
  /** Deletes everything that is kept of the user, for good. Answers what the server did; null when it refused. */
  deleteData: () => Promise<DeleteData | null>;
  isPending: boolean;
  error: CalwireError | null;
}

export interface SyncActivityAnswer extends Answer {
  calendars: CalendarActivity[];
}

export interface ConnectAnswer {
  /** Leaves the page for Google's consent page; it comes back to `returnTo`, a path of this application. */
  connect(options?: { returnTo?: string }): Promise<void>;
  /** One Google account, or all of the user's. Answers what the server did; null when it refused. */
  disconnect: (connectionId?: string) => Promise<Disconnect | null>;
  isPending: boolean;
  error: CalwireError | null;
}
