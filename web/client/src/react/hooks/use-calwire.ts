import type { LiveState } from '../../core/live-state.js';
import { useCalwireContext, usePresent } from '../context.js';

export interface Calwire {
  /** null: nobody is signed in, or it is not known yet who. */
  userId: string | null;
  live: LiveState;
  /** Tries again now, whatever was refused before. */
  retry: () => void;
  /** Closes the socket and forgets the user in this browser. */
  signOut: () => Promise<void>;
}

/** Who is signed in, and how the live connection is. */
export function useCalwire(): Calwire {
  const { retry, signOut } = useCalwireContext();
  const { userId, state } = usePresent();
  return { userId, live: state.live, retry, signOut };
}
