export type * from './generated/types.js';
export type { Event as CalendarEvent } from './generated/types.js';

/** The channel on which a user's browsers hear of changes. */
export function channelOf(userId: string): string {
  return `calendar:${userId}`;
}
