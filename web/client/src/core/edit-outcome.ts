/** The result of an edit, for the caller and for the user. */
import type { Event } from '../generated/types.js';
import type { EditConflict } from './conflict.js';
import type { Edit } from './edit.js';
import { AMBIGUOUS, CalwireError } from './error.js';
import type { Write } from './overlay.js';

export type EditOutcome =
  | { status: 'done'; event: Event | null; merged: boolean }
  /** The server keeps trying; `end` resolves to the final outcome. */
  | { status: 'pending'; id: string; end: Promise<EditOutcome> }
  /** Not applied. */
  | { status: 'rejected'; error: CalwireError }
  /** It may have been applied. `retry(id)` sends the same request and finds out. */
  | { status: 'unknown'; id: string; error: CalwireError }
  | { status: 'conflict'; error: CalwireError; conflict: EditConflict }
  | { status: 'undone' };

export interface EditNotice {
  /** The edit's id. */
  id: string;
  edit: Edit;
  /** `deleted`: can be undone. `pending`: the server keeps trying. `saved`: a pending edit has been applied. */
  kind: 'deleted' | 'pending' | 'saved' | 'merged' | 'rejected' | 'unknown' | 'conflict';
  error: CalwireError | null;
  conflict: EditConflict | null;
}

export interface EditState {
  writes: readonly Write[];
  /** Messages for the user, newest last. */
  notices: readonly EditNotice[];
}

export const NO_EDITS: EditState = { writes: [], notices: [] };

export interface EditOptions {
  /** The caller shows failures itself, so there is no notice of them. */
  quiet?: boolean | undefined;
  /** How long a deletion can be undone, in milliseconds. */
  undoFor?: number | undefined;
}

export function isAmbiguous({ reason, code }: CalwireError): boolean {
  return reason === undefined && AMBIGUOUS.has(code);
}

export function conflictOf({ reason, data }: CalwireError): EditConflict | null {
  return reason === 'EDIT_CONFLICT' && data ? (data as unknown as EditConflict) : null;
}

/** The event's creation has not been confirmed, so it has no id to edit it by. */
export function unnamedError(): CalwireError {
  return new CalwireError('CONFLICT', 'This event is still being created. Try again in a moment.', {
    reason: 'UNNAMED',
  });
}
