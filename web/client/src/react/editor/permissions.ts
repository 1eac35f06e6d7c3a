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

/** Some types of events cannot become all-day, or can only be that. */
export function allDayLock(event: CalendarEvent, labels: Labels): string | null {
  return event.eventType === 'default' || event.canEdit.includes('allDay') ? null : labels.fieldLocked;
}

/** Whether there are guests to mail. Rooms are not. */
export function hasGuests(guests: readonly { self?: boolean; resource?: boolean | undefined }[]): boolean {
  return guests.some(({ self, resource }) => self !== true && resource !== true);
}
