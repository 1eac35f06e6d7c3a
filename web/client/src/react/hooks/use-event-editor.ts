import { useMemo } from 'react';

import type { EditConflict } from '../../core/conflict.js';
import { CalwireError } from '../../core/error.js';
import { type Edit, isUnnamed } from '../../core/edit.js';
import { seriesOf } from '../../core/occurrence.js';
import type { Phase, Write } from '../../core/overlay.js';
import type { Session } from '../../core/session.js';
import type { EditNotice, EditOptions, EditOutcome } from '../../core/writes.js';
import type {
  Event as CalendarEvent,
  EventPatch,
  ResponseStatus,
  SendUpdates,
  SeriesScope,
} from '../../generated/types.js';
import { usePresent } from '../context.js';

export type { ConflictField, EditConflict, EventVersion } from '../../core/conflict.js';
export type { Edit } from '../../core/edit.js';
export type { EditNotice, EditOptions, EditOutcome } from '../../core/writes.js';

export interface ChangeOptions extends EditOptions {
  /** Of an instance of a series. Default: it alone. */
  scope?: SeriesScope | undefined;
  /** Whom Google mails. Default: nobody. */
  sendUpdates?: SendUpdates | undefined;
}

/**
 * Changes events. Each call is one thing that a person does: it shows at once on the whole page, is sent until it is
 * known what came of it, and is done once. The promises never reject.
 */
export interface EventEditor {
  create(calendarId: string, event: EventPatch, options?: Omit<ChangeOptions, 'scope'>): Promise<EditOutcome>;
  /** `event` is the event as the person saw it; of the patch, what is absent stays, and `null` clears. */
  update(event: CalendarEvent, patch: EventPatch, options?: ChangeOptions): Promise<EditOutcome>;
  /** It is sent when it can no longer be undone; see `undo`. */
  remove(event: CalendarEvent, options?: ChangeOptions): Promise<EditOutcome>;
  /** To another calendar of the same account; a series as a whole. */
  move(event: CalendarEvent, calendarId: string, options?: Omit<ChangeOptions, 'scope'>): Promise<EditOutcome>;
  respond(
    event: CalendarEvent,
    responseStatus: ResponseStatus,
    options?: ChangeOptions & { comment?: string | undefined },
  ): Promise<EditOutcome>;
  /** Writes over a version that somebody else made, after a person has seen both. */
  resolve(edit: Edit, conflict: EditConflict, patch: EventPatch, options?: EditOptions): Promise<EditOutcome>;
  /** Sends an edit whose answer was lost again: the same request. */
  retry(id: string): Promise<EditOutcome>;
  /** Does what was refused once more, for a reason that may have passed. */
  again(notice: EditNotice): Promise<EditOutcome>;
  /** Takes back a deletion while its notice is there. */
  undo(id: string): void;
  /** Keeps a deletion from being sent while somebody is about to undo it. */
  hold: (id: string, held: boolean) => void;
  dismiss(id: string): void;
  /** What a person has to be told, the newest last. */
  notices: readonly EditNotice[];
  /** How far an edit of this event is: null when there is none. */
  stateOf: (event: Pick<CalendarEvent, 'id' | 'calendarId' | 'eventId' | 'recurringEventId'>) => Phase | null;
  isPending: boolean;
}

const NOBODY: EditOutcome = {
  status: 'refused',
  error: new CalwireError('UNAUTHORIZED', 'You are signed out. Sign in to change your calendar.'),
};

export function useEventEditor(): EventEditor {
  const { session, state } = usePresent();
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

type Actions = Omit<EventEditor, 'notices' | 'stateOf' | 'isPending'>;

function actionsOf(session: Session | null): Actions {
  const begin = (edit: Edit, options: EditOptions | undefined): Promise<EditOutcome> =>
    session ? session.writes.begin(edit, options) : Promise.resolve(NOBODY);
  return {
    create: (calendarId, patch, { sendUpdates, ...options } = {}) =>
      begin({ kind: 'create', calendarId, patch, sendUpdates }, options),
    update: (event, patch, { scope, sendUpdates, ...options } = {}) =>
      begin({ kind: 'update', event, patch, scope, sendUpdates }, options),
    remove: (event, { scope, sendUpdates, ...options } = {}) =>
      begin({ kind: 'delete', event, scope, sendUpdates }, options),
    move: (event, destinationCalendarId, { sendUpdates, ...options } = {}) =>
      begin({ kind: 'move', event, destinationCalendarId, sendUpdates }, options),
    respond: (event, responseStatus, { scope, sendUpdates, comment, ...options } = {}) =>
      begin({ kind: 'respond', event, responseStatus, comment, scope, sendUpdates }, options),
    resolve: (edit, conflict, patch, options) => begin(onTopOf(edit, conflict, patch), options),
    retry: (id) => session?.writes.retry(id) ?? Promise.resolve(NOBODY),
    again: ({ id, edit }) => {
      session?.writes.dismiss(id);
      return begin(edit, { undoFor: 0 });
    },
    undo: (id) => session?.writes.undo(id),
    hold: (id, held) => session?.writes.hold(id, held),
    dismiss: (id) => session?.writes.dismiss(id),
  };
}

function onTopOf(edit: Edit, { etag }: EditConflict, patch: EventPatch): Edit {
  if (edit.kind === 'create') return edit;
  const event = { ...edit.event, etag };
  return edit.kind === 'update' ? { ...edit, event, patch } : { ...edit, event };
}

type Named = Parameters<EventEditor['stateOf']>[0];

function isAbout({ key, edit, answer, phase }: Write, event: Named): boolean {
  if (phase === 'landed') return false;
  if (edit.kind === 'create') return isUnnamed(event) && event.id.endsWith(key);
  const calendarId = edit.kind === 'move' ? edit.destinationCalendarId : edit.event.calendarId;
  if (event.calendarId !== calendarId) return false;
  const isSeries = edit.event.recurringEventId !== null && (edit.kind === 'move' || (edit.scope ?? 'this') !== 'this');
  if (isSeries) return seriesOf(event as CalendarEvent) === seriesOf(edit.event);
  return event.id === (answer ?? edit.event).id;
}
