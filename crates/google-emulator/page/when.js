// Wall-clock times as text: "2026-11-22" for a day, "2026-11-22T09:00" for a time, both in the zone that is shown.
// The API is asked to answer in that zone and is sent wall-clock times with the zone's name, so no zone arithmetic
// happens here: a day has 1440 minutes on this clock face.

const MINUTE = 60_000;

const stamp = (naive) => Date.parse(naive.length === 10 ? `${naive}T00:00Z` : `${naive.slice(0, 16)}Z`);
const format = (options) => {
  const formatter = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", ...options });
  return (naive) => formatter.format(stamp(naive));
};

export const dayOf = (naive) => naive.slice(0, 10);
export const timeOf = (naive) => naive.slice(11, 16);
export const at = (day, time) => `${day}T${time}`;
export const minutesOfDay = (naive) => (stamp(naive) / MINUTE) % 1440;
export const minutesBetween = (from, to) => (stamp(to) - stamp(from)) / MINUTE;
export const daysBetween = (from, to) => Math.round(minutesBetween(dayOf(from), dayOf(to)) / 1440);
export const addMinutes = (naive, minutes) => new Date(stamp(naive) + minutes * MINUTE).toISOString().slice(0, 16);
export const addDays = (naive, days) =>
  new Date(stamp(naive) + days * 1440 * MINUTE).toISOString().slice(0, naive.length === 10 ? 10 : 16);
/** 0 = Sunday. */
export const weekday = (naive) => new Date(stamp(naive)).getUTCDay();

/** The first day of the week `day` lies in, as the reader's locale counts weeks. */
export function weekStart(day) {
  const locale = new Intl.Locale(navigator.language || "en");
  const info = locale.getWeekInfo?.() ?? locale.weekInfo;
  const first = (info?.firstDay ?? 1) % 7;
  return addDays(day, -((weekday(day) - first + 7) % 7));
}

/** What a clock in `zone` shows. */
export function nowIn(zone, now = new Date()) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  }).formatToParts(now);
  const part = (type) => parts.find((found) => found.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}T${part("hour")}:${part("minute")}`;
}

export const showTime = format({ hour: "numeric", minute: "2-digit" });
export const showDate = format({ day: "numeric", month: "short" });
export const showDay = format({ weekday: "long", day: "numeric", month: "short" });
export const showShortDay = format({ weekday: "short", day: "numeric", month: "short" });
export const showWeekday = format({ weekday: "short" });
export const showMonth = format({ month: "long", year: "numeric" });
export const showHour = format({ hour: "numeric" });
export const showNumber = (day) => String(Number(day.slice(8, 10)));

/** "09:00 – 10:00", with days where it spans more than one. */
export function showRange(event) {
  if (event.allDay) {
    const last = addDays(event.end, -1);
    return last > event.start ? `${showShortDay(event.start)} – ${showShortDay(last)}` : "All day";
  }
  if (event.end === event.start) return showTime(event.start);
  if (dayOf(event.start) === dayOf(event.end)) return `${showTime(event.start)} – ${showTime(event.end)}`;
  return `${showShortDay(event.start)}, ${showTime(event.start)} – ${showShortDay(event.end)}, ${showTime(event.end)}`;
}
