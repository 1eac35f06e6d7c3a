// Between Google's event resources and what the page draws; and what a change on the page means for a series.

import { addDays, addMinutes, at, dayOf, daysBetween, minutesBetween, timeOf, weekday } from "./when.js";

const DAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
const FALLBACK = "#7986cb";

/** A resource as the views draw it. `zone` is the one its times are written in. */
export function fromResource(raw, calendar, colors) {
  const allDay = Boolean(raw.start?.date);
  const writable = ["owner", "writer", "writerWithoutPrivateAccess"].includes(calendar.accessRole);
  const typed = raw.eventType && raw.eventType !== "default";
  return {
    id: raw.id,
    calendarId: calendar.id,
    calendarName: calendar.summaryOverride ?? calendar.summary,
    recurringEventId: raw.recurringEventId,
    etag: raw.etag,
    title: raw.summary || "(no title)",
    location: raw.location ?? "",
    allDay,
    start: allDay ? raw.start.date : raw.start.dateTime.slice(0, 16),
    end: allDay ? raw.end.date : raw.end.dateTime.slice(0, 16),
    status: raw.status,
    answer: raw.attendees?.find((guest) => guest.self)?.responseStatus,
    color: colors?.event?.[raw.colorId]?.background ?? calendar.backgroundColor ?? FALLBACK,
    editable: writable && !raw.locked && raw.eventType !== "birthday" && raw.eventType !== "fromGmail",
    readOnlyNote: writable ? (typed ? raw.eventType : "") : "read only",
    raw,
  };
}

/** `start` or `end` for a write. The key that does not apply is sent as null, so that a PATCH can switch kinds. */
export function toTime(naive, allDay, zone) {
  return allDay ? { date: dayOf(naive), dateTime: null, timeZone: null } : { date: null, dateTime: `${naive}:00`, timeZone: zone };
}

/** For an insert, which wants no nulls. */
export const withoutNulls = (time) => Object.fromEntries(Object.entries(time).filter(([, value]) => value !== null));

/**
 * What moving one instance means for its whole series: the master's new start and end, and its rules.
 * Throws with a message for people when the rule itself would have to be written anew.
 */
export function shiftSeries(master, before, after) {
  const days = daysBetween(before.start, after.start);
  const day = addDays(dayOf(master.start), days);
  const start = after.allDay ? day : at(day, timeOf(after.start));
  const length = minutesBetween(after.start, after.end);
  const end = after.allDay ? addDays(day, length / 1440) : addMinutes(start, length);
  return { start, end, recurrence: days === 0 ? master.recurrence : shiftRules(master.recurrence, days) };
}

function shiftRules(lines, days) {
  return lines.map((line) => {
    if (!line.startsWith("RRULE:")) return line;
    if (/BYMONTHDAY|BYYEARDAY|BYSETPOS|BYWEEKNO|BYDAY=[^;]*\d/.test(line)) {
      throw new Error("The rule of this series names its day. Change how it repeats instead of moving it.");
    }
    return line.replace(/BYDAY=([A-Z,]+)/, (_, list) =>
      `BYDAY=${list.split(",").map((name) => DAYS[(((DAYS.indexOf(name) + days) % 7) + 7) % 7]).join(",")}`);
  });
}

/** The ways to repeat that the editor offers for an event that starts on `day`. */
export function repeatChoices(day) {
  const name = DAYS[weekday(day)];
  return [
    ["", "Does not repeat"],
    ["RRULE:FREQ=DAILY", "Every day"],
    ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Every working day"],
    [`RRULE:FREQ=WEEKLY;BYDAY=${name}`, "Every week"],
    [`RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=${name}`, "Every two weeks"],
    ["RRULE:FREQ=MONTHLY", "Every month"],
    ["RRULE:FREQ=YEARLY", "Every year"],
  ];
}
