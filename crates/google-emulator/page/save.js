// What differs between two drafts of an event, written with Calendar v3.

import { fromResource, shiftSeries, toTime, withoutNulls } from "./model.js";

/** Patches the event `before` was made of, or its series when its `master` is given. Nothing is sent when nothing changed. */
export async function save(api, before, after, master) {
  const body = changedTexts(before, after);
  const isInstance = Boolean(before.recurringEventId);
  if (master || !isInstance) changedRules(before, after, body);
  const timesChanged = ["start", "end", "allDay", "zone"].some((field) => before[field] !== after[field]);
  if (timesChanged) Object.assign(body, master ? seriesTimes(before, after, master, body) : times(after));
  const target = master ?? { id: before.id, etag: before.etag };
  if (Object.keys(body).length) await api.patch(before.calendarId, target.id, body, target.etag);
  if (after.calendarId !== before.calendarId) await api.move(before.calendarId, target.id, after.calendarId);
}

/** The body that inserts a draft. */
export function newBody(draft) {
  const { start, end } = times(draft);
  return {
    summary: draft.title,
    ...(draft.location && { location: draft.location }),
    ...(draft.description && { description: draft.description }),
    ...(draft.attendees.length && { attendees: draft.attendees.map((email) => ({ email })) }),
    ...(draft.recurrence.length && { recurrence: draft.recurrence }),
    start: withoutNulls(start),
    end: withoutNulls(end),
  };
}

const times = ({ start, end, allDay, zone }) => ({ start: toTime(start, allDay, zone), end: toTime(end, allDay, zone) });

function seriesTimes(before, after, master, { recurrence }) {
  const shown = fromResource(master, { id: before.calendarId });
  const moved = shiftSeries({ ...shown, recurrence: recurrence ?? master.recurrence }, before, after);
  const sameRules = JSON.stringify(moved.recurrence) === JSON.stringify(recurrence ?? master.recurrence);
  return { ...times({ ...after, ...moved }), ...(sameRules ? {} : { recurrence: moved.recurrence }) };
}

function changedTexts(before, after) {
  const body = {};
  if (before.title !== after.title) body.summary = after.title;
  for (const field of ["location", "description"]) {
    if ((before[field] ?? "") !== (after[field] ?? "")) body[field] = after[field] || null;
  }
  const old = before.resource?.attendees ?? [];
  const { attendees } = after;
  if (attendees && old.map((guest) => guest.email).join() !== attendees.join()) {
    // The list is replaced as a whole, so those who stay keep their answers.
    body.attendees = attendees.map((email) => old.find((guest) => guest.email === email) ?? { email });
  }
  return body;
}

function changedRules(before, after, body) {
  const [old, rules] = [before.recurrence ?? [], after.recurrence ?? []];
  if (JSON.stringify(old) !== JSON.stringify(rules)) body.recurrence = rules.length ? rules : null;
}
