/**
 * Deduplicates a meeting that several calendars contain.
 *
 * Events are duplicates if they have the same `iCalUID` and, for instances of a series, the same original start, even if one
 * has been moved. Two events of one calendar are never duplicates. The one to respond from is shown: it has the lowest
 * `copyRank`, and among equals it is in the calendar that has been known longest. The server applies the same rule;
 * `tests/vectors/copies.json` tests both.
 */
import type { Event, EventCopy } from '../generated/types.js';

/** Each meeting once, with its duplicates listed in `copies`. Without duplicates, returns the same array. */
export function mergeDuplicates(events: Event[]): Event[] {
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
    const started = [event];
    groups.push(started);
    if (known) known.push(started);
    else if (meeting !== null) ofMeeting.set(meeting, [started]);
  }
  return groups;
}

/** The key that all duplicates of an event share; null when it can have none. */
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

/** The event's own entry, or all entries if it was merged before. */
function copiesOf(event: Event): EventCopy[] {
  const { calendarId, id, eventId, attendees, copies } = event;
  if (copies) return copies;
  return [{ calendarId, id, eventId, responseStatus: attendees.find(({ self }) => self)?.responseStatus ?? null }];
}
