export type {
  Answer,
  CalendarsAnswer,
  ConnectAnswer,
  EventsAnswer,
  SyncActivityAnswer,
  SyncStatusAnswer,
} from './answers.js';
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
export { useSyncActivity } from './use-sync-activity.js';
export { useSyncStatus } from './use-sync-status.js';
export { type UpcomingEventsOptions, useUpcomingEvents } from './use-upcoming-events.js';
