/** Two changes of the same fields, as the server tells them. What is more than a type is loaded with the first conflict. */
import type { EventPatch, GuestInput, Reminders } from '../generated/types.js';

/** Begin, end and zone are one. */
export type ConflictField =
  'title' | 'when' | 'description' | 'location' | 'colorId' | 'attendees' | 'recurrence' | 'reminders' | 'conference';

/** What an event has in the fields that people edit, in the names of the event. */
export interface EventVersion {
  title: string | null;
  start?: string;
  end?: string;
  timeZone?: string | null;
  description: string | null;
  location: string | null;
  colorId: string | null;
  attendees: GuestInput[];
  recurrence: string[];
  reminders: Reminders | null;
  conferenceUrl: string | null;
}

export interface EditConflict {
  /** What both sides changed. */
  fields: ConflictField[];
  /** What the edit was based on; null when nobody knows any more. */
  base: EventVersion | null;
  /** What was asked for; null when it was to be deleted. */
  ours: EventVersion | null;
  theirs: EventVersion;
  /** Of theirs: what the next edit is based on. */
  etag: string;
}

/** What has to be written so that the event has these of our fields, and theirs otherwise. */
export function patchTowards(
  patch: EventPatch,
  conflict: EditConflict,
  chosen: ReadonlySet<ConflictField>,
): EventPatch {
  const dropped = conflict.fields.filter((field) => !chosen.has(field)).flatMap((field) => PARTS[field]);
  return Object.fromEntries(Object.entries(patch).filter(([name]) => !(dropped as string[]).includes(name)));
}

const PARTS: Record<ConflictField, (keyof EventPatch)[]> = {
  title: ['title'],
  when: ['start', 'end', 'allDay', 'timeZone'],
  description: ['description'],
  location: ['location'],
  colorId: ['colorId'],
  attendees: ['attendees'],
  recurrence: ['recurrence'],
  reminders: ['reminders'],
  conference: ['conference'],
};
