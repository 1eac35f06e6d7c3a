import type { LiveState } from '../../core/live-state.js';
import { useCalwireContext, useSession } from '../context.js';

export interface UseCalwireResult {
  /** Null: no user is signed in, or it is not known yet. */
  userId: string | null;
  live: LiveState;
  /** Tries again now, even after a refusal. */
  retry: () => void;
  /** Closes the socket and forgets the user in this browser. */
  signOut: () => Promise<void>;
}

/** The signed-in user and the state of the live connection. */
export function useCalwire(): UseCalwireResult {
  const { retry, signOut } = useCalwireContext();
  const { userId, state } = useSession();
  return { userId, live: state.live, retry, signOut };
}
