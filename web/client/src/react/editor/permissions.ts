/** Which events and fields the user may change, and why not the others. */
import type { CalendarInfo } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import type { Labels } from '../widgets/labels.js';

const WRITERS = ['writerWithoutPrivateAccess', 'writer', 'owner'];

export function isWritable(calendar: CalendarInfo): boolean {
  return calendar.selected && !calendar.accessLost && WRITERS.includes(calendar.accessRole);
}

/** The colour can be changed of every event that can be changed at all. */
export function isEditable({ canEdit }: CalendarEvent): boolean {
  return canEdit.includes('colorId');
}

/** Why a field cannot be changed; null if it can. */
export function lockOf(
  event: CalendarEvent,
  field: string,
  calendar: CalendarInfo | undefined,
  labels: Labels,
): string | null {
  if (event.canEdit.includes(field)) return null;
  if (calendar && !WRITERS.includes(calendar.accessRole)) return labels.calendarReadOnly;
  if (!isEditable(event)) return labels.cannotEdit;
  const isOrganizer = event.organizer === null || event.organizer.self;
  return isOrganizer || event.eventType !== 'default' ? labels.fieldLocked : labels.organizerOnly;
}

/** Whether there are guests to mail. */
export function hasGuests(guests: readonly { self?: boolean }[]): boolean {
  return guests.some(({ self }) => self !== true);
}
