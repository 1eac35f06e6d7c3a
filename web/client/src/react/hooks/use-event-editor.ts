import { useMemo } from 'react';

import type { EditConflict } from '../../core/conflict.js';
import { CalwireError } from '../../core/error.js';
import { type Edit, isUnnamed, partOf } from '../../core/edit.js';
import type { EditNotice, EditOptions, EditOutcome } from '../../core/edit-outcome.js';
import { seriesOf } from '../../core/occurrence.js';
import type { Phase, Write } from '../../core/overlay.js';
import type { Session } from '../../core/session.js';
import type {
  Event as CalendarEvent,
  EventPatch,
  ResponseStatus,
  SendUpdates,
  SeriesScope,
} from '../../generated/types.js';
import { useSession } from '../context.js';

export type { ConflictField, EditConflict, EventVersion } from '../../core/conflict.js';
export type { Edit } from '../../core/edit.js';
export type { EditNotice, EditOptions, EditOutcome } from '../../core/edit-outcome.js';

export interface ChangeOptions extends EditOptions {
  /** For an instance of a series. Default: only this instance. */
  scope?: SeriesScope | undefined;
  /** Which guests Google mails. Default: all, if there are guests. */
  sendUpdates?: SendUpdates | undefined;
}

/**
 * Changes events. Each call is one action of the user: the whole page shows it at once, it is sent until the outcome is
 * known, and it is applied once. The promises never reject.
 */
export interface UseEventEditorResult {
  create(calendarId: string, event: EventPatch, options?: Omit<ChangeOptions, 'scope'>): Promise<EditOutcome>;
  /** `event` is the event as the user saw it. Fields absent from `patch` stay as they are, and `null` clears one. */
  update(event: CalendarEvent, patch: EventPatch, options?: ChangeOptions): Promise<EditOutcome>;
  /** Sent when it can no longer be undone; see `undo`. */
  remove(event: CalendarEvent, options?: ChangeOptions): Promise<EditOutcome>;
  /** Moves an event, or a whole series, to another calendar of the same account. */
  move(event: CalendarEvent, calendarId: string, options?: Omit<ChangeOptions, 'scope'>): Promise<EditOutcome>;
  respond(
    event: CalendarEvent,
    responseStatus: ResponseStatus,
    options?: ChangeOptions & { comment?: string | undefined },
  ): Promise<EditOutcome>;
  /** Overwrites someone else's version, after the user has seen both. */
  resolve(edit: Edit, conflict: EditConflict, patch: EventPatch, options?: EditOptions): Promise<EditOutcome>;
  /** Sends an edit with an unknown outcome again, as the same request. */
  retry(id: string): Promise<EditOutcome>;
  /** Makes a rejected edit again, as a new request. */
  again(notice: EditNotice): Promise<EditOutcome>;
  /** Reverts a deletion while its notice is shown. */
  undo(id: string): void;
  /** Delays sending a deletion while the user is about to undo it. */
  hold: (id: string, held: boolean) => void;
  dismiss(id: string): void;
  /** The notices to show to the user, newest last. */
  notices: readonly EditNotice[];
  /** The phase of the pending edit of this event; null when there is none. */
  stateOf: (event: Pick<CalendarEvent, 'id' | 'calendarId' | 'eventId' | 'recurringEventId'>) => Phase | null;
  isPending: boolean;
}

const SIGNED_OUT: EditOutcome = {
  status: 'rejected',
  error: new CalwireError('UNAUTHORIZED', 'You are signed out. Sign in to change your calendar.'),
};

export function useEventEditor(): UseEventEditorResult {
  const { session, state } = useSession();
  const { writes, notices } = state.edits;
  const actions = useMemo(() => actionsOf(session), [session]);
  return useMemo(
    () => ({
      ...actions,
      notices,
      stateOf: (event) => writes.find((write) => isAbout(write, event))?.phase ?? null,
      isPending: writes.some(({ phase }) => phase !== 'landed'),
    }),
    [actions, writes, notices],
  );
}

type Actions = Omit<UseEventEditorResult, 'notices' | 'stateOf' | 'isPending'>;

function actionsOf(session: Session | null): Actions {
  const begin = (edit: Edit, options: EditOptions | undefined): Promise<EditOutcome> =>
    session ? session.writes.begin(edit, options) : Promise.resolve(SIGNED_OUT);
  const change = ({ quiet, undoFor, ...edit }: Edit & EditOptions) => begin(edit, { quiet, undoFor });
  return {
    create: (calendarId, patch, options) => change({ kind: 'create', calendarId, patch, ...options }),
    update: (event, patch, options) => change({ kind: 'update', event, patch, ...options }),
    remove: (event, options) => change({ kind: 'delete', event, ...options }),
    move: (event, destinationCalendarId, options) => change({ kind: 'move', event, destinationCalendarId, ...options }),
    respond: (event, responseStatus, options) => change({ kind: 'respond', event, responseStatus, ...options }),
    resolve: (edit, conflict, patch, options) => begin(rebased(edit, conflict, patch), options),
    retry: (id) => session?.writes.retry(id) ?? Promise.resolve(SIGNED_OUT),
    again: ({ id, edit }) => {
      session?.writes.dismiss(id);
      return begin(edit, { undoFor: 0 });
    },
    undo: (id) => session?.writes.undo(id),
    hold: (id, held) => session?.writes.hold(id, held),
    dismiss: (id) => session?.writes.dismiss(id),
  };
}

function rebased(edit: Edit, { etag }: EditConflict, patch: EventPatch): Edit {
  if (edit.kind === 'create') return edit;
  const event = { ...edit.event, etag };
  return edit.kind === 'update' ? { ...edit, event, patch } : { ...edit, event };
}

type EventIds = Parameters<UseEventEditorResult['stateOf']>[0];

function isAbout({ key, edit, answer, phase }: Write, event: EventIds): boolean {
  if (phase === 'landed') return false;
  if (edit.kind === 'create') return isUnnamed(event) && event.id.endsWith(key);
  const calendarId = edit.kind === 'move' ? edit.destinationCalendarId : edit.event.calendarId;
  if (event.calendarId !== calendarId) return false;
  if (partOf(edit) !== 'this') return seriesOf(event as CalendarEvent) === seriesOf(edit.event);
  return event.id === (answer ?? edit.event).id;
}
