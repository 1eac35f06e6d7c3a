export type {
  Account,
  AccountsAnswer,
  Answer,
  CalendarsAnswer,
  ConnectAnswer,
  DeleteDataAnswer,
  EventsAnswer,
  ExportDataAnswer,
  SelectCalendarsAnswer,
  SyncActivityAnswer,
  SyncStatusAnswer,
  UserData,
} from './answers.js';
export { useAccounts } from './use-accounts.js';
export { useCalendars } from './use-calendars.js';
export { type Calwire, useCalwire } from './use-calwire.js';
export { useCentrifugo } from './use-centrifugo.js';
export { useConnect } from './use-connect.js';
export { type EventsOptions, useEvents } from './use-events.js';
export {
  type ChangeOptions,
  type ConflictField,
  type Edit,
  type EditConflict,
  type EditNotice,
  type EditOptions,
  type EditOutcome,
  type EventEditor,
  type EventVersion,
  useEventEditor,
} from './use-event-editor.js';
export { useNow } from './use-now.js';
export { useSelectCalendars } from './use-select-calendars.js';
export { useSyncActivity } from './use-sync-activity.js';
export { useSyncStatus } from './use-sync-status.js';
export { useDeleteData, useExportData } from './use-user-data.js';
export { type UpcomingEventsOptions, useUpcomingEvents } from './use-upcoming-events.js';
