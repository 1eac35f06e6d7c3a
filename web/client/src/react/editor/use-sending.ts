import { useRef, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import { useEventEditor } from '../hooks/index.js';
import type { EditOptions, EditOutcome } from '../hooks/use-event-editor.js';

/** A second edit of the same event. `event` is the result of the first, if known. */
export type NextEdit = (event: CalendarEvent | null, options: EditOptions) => Promise<EditOutcome>;

export interface UseSendingResult {
  /** `unknown`: the edit may have been applied. The form stays locked until the outcome is known. */
  state: 'open' | 'saving' | 'unknown';
  /** Sends an edit and the one that follows it, or repeats them after an unknown outcome. Null: already sending. */
  send: (edit: () => Promise<EditOutcome>, next: NextEdit | null) => Promise<EditOutcome | null>;
}

/** The dialog shows failures, so there is no notice. */
export const QUIET: EditOptions = { quiet: true };

/** The outcome when there is nothing to send. */
export function unchanged(event: CalendarEvent | null): Promise<EditOutcome> {
  return Promise.resolve({ status: 'done', event, merged: false });
}

/** Sends one edit at a time, for a dialog that stays open until the outcome is known. */
export function useSending(): UseSendingResult {
  const editor = useEventEditor();
  const [state, setState] = useState<UseSendingResult['state']>('open');
  // A ref, because a second click can precede the next render.
  const busy = useRef(false);
  const unknown = useRef<{ id: string; next: NextEdit | null } | null>(null);
  const send: UseSendingResult['send'] = async (edit, following) => {
    if (busy.current) return null;
    busy.current = true;
    setState('saving');
    const before = unknown.current;
    let next = before ? before.next : following;
    let outcome = await (before ? editor.retry(before.id) : edit());
    if (next && outcome.status === 'done') {
      outcome = await next(outcome.event, QUIET);
      next = null;
    } else if (next && outcome.status === 'pending') {
      // It waits for the outcome of the first. The dialog is closed by then, so a notice reports a failure.
      void next(null, {});
    }
    unknown.current = outcome.status === 'unknown' ? { id: outcome.id, next } : null;
    setState(unknown.current ? 'unknown' : 'open');
    busy.current = false;
    return outcome;
  };
  return { state, send };
}
