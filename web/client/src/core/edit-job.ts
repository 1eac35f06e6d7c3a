import type { Edit } from './edit.js';
import type { EditOptions } from './edit-outcome.js';

/** An edit from the user's action until the server's data contains it. */
export interface Job {
  /** The idempotency key. */
  readonly key: string;
  readonly edit: Edit;
  readonly options: EditOptions;
  /** The base etag. Null until the first attempt, and fixed after that: a retry must be the same request. */
  base: string | null;
  state: JobState;
}

export type JobState =
  | { phase: 'undoable'; undo: () => void; send: () => void; hold: (held: boolean) => void }
  /** `resolved`: the server has announced the outcome before it answered the request. */
  | { phase: 'sending'; resolved: boolean }
  /** The server keeps trying. `wake` requests the outcome now. */
  | { phase: 'pending'; wake: () => void }
  | { phase: 'landed' }
  /** Not shown any more. It waits for the user to retry. */
  | { phase: 'unknown' };

export const SENDING: JobState = { phase: 'sending', resolved: false };
