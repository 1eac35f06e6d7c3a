export type { LiveResult } from './live-result.js';
export { type Account, useAccounts, type UseAccountsResult } from './use-accounts.js';
export { useCalendars, type UseCalendarsResult } from './use-calendars.js';
export { useCalwire, type UseCalwireResult } from './use-calwire.js';
export { type CentrifugoOptions, useCentrifugo, type UseCentrifugoResult } from './use-centrifugo.js';
export { useConnect, type UseConnectResult } from './use-connect.js';
export { type EventsOptions, useEvents } from './use-events.js';
export type { UseEventsResult } from './use-events-result.js';
export {
  type ChangeOptions,
  type ConflictField,
  type Edit,
  type EditConflict,
  type EditNotice,
  type EditOptions,
  type EditOutcome,
  type EventVersion,
  useEventEditor,
  type UseEventEditorResult,
} from './use-event-editor.js';
export { useNow } from './use-now.js';
export { useSelectCalendars, type UseSelectCalendarsResult } from './use-select-calendars.js';
export { useSyncActivity, type UseSyncActivityResult } from './use-sync-activity.js';
export { useSyncStatus, type UseSyncStatusResult } from './use-sync-status.js';
export {
  useDeleteData,
  type UseDeleteDataResult,
  useExportData,
  type UseExportDataResult,
  type UserData,
} from './use-user-data.js';
export { type UpcomingEventsOptions, useUpcomingEvents, type UseUpcomingEventsResult } from './use-upcoming-events.js';
