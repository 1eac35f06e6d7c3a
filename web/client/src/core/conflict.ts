/** Conflicting edits of the same fields, as the server reports them. All but the types is loaded lazily. */
import type { EventPatch, GuestInput, Reminders, Transparency } from '../generated/types.js';

/** `when` is start, end and zone together. */
export type ConflictField =
  | 'title'
  | 'when'
  | 'description'
  | 'location'
  | 'colorId'
  | 'attendees'
  | 'recurrence'
  | 'reminders'
  | 'conference'
  | 'transparency'
  | 'visibility';

/** The editable fields of an event, by the event's own names. */
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
  transparency?: Transparency;
  visibility?: string;
}

export interface EditConflict {
  /** The fields that both sides changed. */
  fields: ConflictField[];
  /** The version the edit was based on; null when it is no longer known. */
  base: EventVersion | null;
  /** The requested version; null for a deletion. */
  ours: EventVersion | null;
  theirs: EventVersion;
  /** Their etag, on which the next edit is based. */
  etag: string;
}

/** The patch that keeps our version of the chosen fields and theirs of the others. */
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
  when: ['start', 'end', 'allDay', 'timeZone', 'endTimeZone'],
  description: ['description'],
  location: ['location'],
  colorId: ['colorId'],
  attendees: ['attendees'],
  recurrence: ['recurrence'],
  reminders: ['reminders'],
  conference: ['conference'],
  transparency: ['transparency'],
  visibility: ['visibility'],
};
