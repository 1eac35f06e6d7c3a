/**
 * One meeting, and its copies in several calendars.
 *
 * Copies are what has the same `iCalUID` and, for an instance of a series, the same original start, wherever the copy has
 * been moved. Two events of one calendar are never copies of each other. The copy that is shown is the one to answer from:
 * that with the lowest `copyRank`, and of equals that in the calendar known for longest. The server goes by the same rule
 * (`crates/sync/src/copies.rs`), and both by `tests/vectors/copies.json`.
 */
import type { Event, EventCopy } from '../generated/types.js';

/** Each meeting once: the copy that is shown stays where it is and tells of all, in `copies`. Without copies, the same array. */
export function mergeCopies(events: Event[]): Event[] {
  const groups = groupsOf(events);
  if (groups.length === events.length) return events;
  const shown = new Map<Event, Event>();
  for (const group of groups) {
    const ranked = [...group].sort(byRank);
    const first = ranked[0];
    if (first) shown.set(first, ranked.length > 1 ? { ...first, copies: ranked.flatMap(copiesOf) } : first);
  }
  return events.flatMap((event) => shown.get(event) ?? []);
}

function groupsOf(events: readonly Event[]): Event[][] {
  const groups: Event[][] = [];
  const ofMeeting = new Map<string, Event[][]>();
  for (const event of events) {
    const meeting = meetingOf(event);
    const known = meeting === null ? undefined : ofMeeting.get(meeting);
    const group = known?.find((copies) => copies.every(({ calendarId }) => calendarId !== event.calendarId));
    if (group) {
      group.push(event);
      continue;
    }
    const begun = [event];
    groups.push(begun);
    if (known) known.push(begun);
    else if (meeting !== null) ofMeeting.set(meeting, [begun]);
  }
  return groups;
}

/** What all copies of an event have in common; null when nothing can be known to be one. */
function meetingOf({ id, recurringEventId, iCalUID }: Event): string | null {
  if (iCalUID === null) return null;
  // An instance's id is `<master>_<original start>`, in every calendar.
  const originalStart = recurringEventId === null ? '' : id.slice(id.lastIndexOf('_') + 1);
  return `${originalStart}\n${iCalUID}`;
}

function byRank(a: Event, b: Event): number {
  const rank = (a.copyRank ?? 0) - (b.copyRank ?? 0);
  if (rank !== 0) return rank;
  return a.calendarId < b.calendarId ? -1 : Number(a.calendarId > b.calendarId);
}

/** What an event says of itself, or, merged before, of all that it stands for. */
function copiesOf(event: Event): EventCopy[] {
  const { calendarId, id, eventId, attendees, copies } = event;
  if (copies) return copies;
  return [{ calendarId, id, eventId, responseStatus: attendees.find(({ self }) => self)?.responseStatus ?? null }];
}
