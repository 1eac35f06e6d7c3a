export type * from './generated/types.js';
export type { Event as CalendarEvent } from './generated/types.js';
export { flatten } from './core/normal-form.js';

/** The channel that carries a user's messages. */
export function channelOf(userId: string): string {
  return `calendar:${userId}`;
}
