import type { LiveState } from '../../core/live-state.js';
export interface Calwire {
  userId: string | null;
  live: LiveState;
  retry(): void;
  signOut(): Promise<void>;
}
export function useCalwire(): Calwire {
  return { userId: null, live: 'connecting', retry: () => undefined, signOut: () => Promise.resolve() };
}
