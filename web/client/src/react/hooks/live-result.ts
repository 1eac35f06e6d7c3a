import type { Mode } from '../../generated/types.js';
import type { CalwireError } from '../../core/error.js';
import type { LiveState } from '../../core/live-state.js';

/** The fields that every hook returns beside its data: how current it is, and whether changes arrive. */
export interface LiveResult {
  /** The data is at least as recent as this moment in Google: the least current calendar's. */
  asOf: string | null;
  /** How the least current calendar is kept current. */
  mode: Mode | null;
  live: LiveState;
  /** There is nothing to show yet. */
  isLoading: boolean;
  /** The data is from the last visit and has not been compared with the server yet. */
  fromSnapshot: boolean;
  error: CalwireError | null;
  refetch: () => Promise<void>;
}
