import { useRef, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import { useEventEditor } from '../hooks/index.js';
import type { EditOptions, EditOutcome } from '../hooks/use-event-editor.js';

/** An edit that follows another one of the same event. `event`: what that has made, if it is known. */
export type NextEdit = (event: CalendarEvent | null, options: EditOptions) => Promise<EditOutcome>;

export interface Sending {
  /** `lost`: whether it was done is not known, so nothing can be changed until it is. */
  state: 'open' | 'saving' | 'lost';
  /** Does an edit and what follows it; after a lost answer the same again. Null: it is under way already. */
  send: (edit: () => Promise<EditOutcome>, next: NextEdit | null) => Promise<EditOutcome | null>;
}

/** The dialog shows what went wrong, so no notice does. */
export const QUIET: EditOptions = { quiet: true };

/** The outcome where nothing is left to be sent. */
export function nothingToDo(event: CalendarEvent | null): Promise<EditOutcome> {
  return Promise.resolve({ status: 'done', event, merged: false });
}

/** One edit at a time, for a dialog that stays until it is known what came of it. */
export function useSending(): Sending {
  const editor = useEventEditor();
  const [state, setState] = useState<Sending['state']>('open');
  // State comes with the next render, and a second click may come before.
  const busy = useRef(false);
  const lost = useRef<{ id: string; next: NextEdit | null } | null>(null);
  const send: Sending['send'] = async (edit, following) => {
    if (busy.current) return null;
    busy.current = true;
    setState('saving');
    const before = lost.current;
    let next = before ? before.next : following;
    let outcome = await (before ? editor.retry(before.id) : edit());
    if (next && outcome.status === 'done') {
      outcome = await next(outcome.event, QUIET);
      next = null;
    } else if (next && outcome.status === 'pending') {
      // It waits for the first to end. By then the dialog is gone, and what comes of it is told by a notice.
      void next(null, {});
    }
    lost.current = outcome.status === 'lost' ? { id: outcome.id, next } : null;
    setState(lost.current ? 'lost' : 'open');
    busy.current = false;
    return outcome;
  };
  return { state, send };
}
