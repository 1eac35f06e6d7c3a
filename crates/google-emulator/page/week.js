// The week as a grid: days across, hours down; all-day and long events above.

import { el } from "./dom.js";
import { dragEvent, dragNew } from "./drag.js";
import {
  addDays, addMinutes, at, dayOf, daysBetween, minutesBetween, minutesOfDay, nowIn, showHour, showNumber, showRange,
  showShortDay, showTime, showWeekday,
} from "./when.js";

/** Minutes below which an event is drawn longer than it is, so that its title can be read. */
const SHORTEST = 24;
/** An hour is three times as high as a line of an event's text. */
const MINUTES_A_LINE = 20;

/** `{ days: ["2026-11-23", …], events, zone, open(event), create(start, end), move(event, start, end) }` → element */
export function weekView(model) {
  const today = dayOf(nowIn(model.zone));
  const isLong = (event) => event.allDay || minutesBetween(event.start, event.end) >= 1440;
  const grid = el("div.grid", { style: { "--days": model.days.length } });
  const columns = model.days.map((day) =>
    el("div.day", { dataset: { day } }, day === today ? el("div.now", { ariaHidden: "true" }) : null));
  const hours = Array.from({ length: 23 }, (_, hour) =>
    el("span", { style: { "--at": (hour + 1) * 60 } }, showHour(at(today, `${String(hour + 1).padStart(2, "0")}:00`))));

  for (const [index, day] of model.days.entries()) {
    const segments = model.events.filter((event) => !isLong(event)).map((event) => segment(event, day)).filter(Boolean);
    for (const placed of columnsOf(segments)) columns[index].append(timedButton(placed, model, grid));
    dragNew(columns[index], day, model);
  }
  grid.append(el("div.hours", { ariaHidden: "true" }, hours), ...columns);
  // Above the hours and in the same scrolling box, so that its columns are theirs.
  const top = el("div.top", {}, head(model, today), longEvents(model, isLong));
  const view = el("section.week", { ariaLabel: "Week", style: { "--days": model.days.length } },
    el("div.scroll", {}, top, grid));
  placeNow(grid, model.zone);
  return view;
}

/** Puts the line of the present hour where it belongs. */
export function placeNow(root, zone) {
  root.querySelector(".now")?.style.setProperty("--at", minutesOfDay(nowIn(zone)));
}

function head(model, today) {
  const cells = model.days.map((day) => {
    const isToday = day === today;
    return el("button.dayname", {
      ariaLabel: `New event on ${showShortDay(day)}`, ariaCurrent: isToday ? "date" : null,
      title: "New all-day event", onclick: () => model.create(day, addDays(day, 1)),
    }, el("span", {}, showWeekday(day)), el("b", {}, showNumber(day)));
  });
  return el("div.head", {}, el("span.corner"), cells);
}

/** All-day and long events, each in the first free lane. */
function longEvents(model, isLong) {
  const [first, last] = [model.days[0], model.days.at(-1)];
  const bars = model.events.filter(isLong).map((event) => {
    const end = event.allDay || event.end.endsWith("T00:00") ? addDays(dayOf(event.end), -1) : dayOf(event.end);
    return { event, from: dayOf(event.start), to: end < dayOf(event.start) ? dayOf(event.start) : end };
  }).filter((bar) => bar.from <= last && bar.to >= first)
    .sort((a, b) => (a.from === b.from ? (a.to < b.to ? 1 : -1) : a.from < b.from ? -1 : 1));
  const lanes = [];
  const row = el("div.allday", { ariaLabel: "All day" }, el("span.corner", {}, "all day"));
  for (const bar of bars) {
    let lane = lanes.findIndex((taken) => taken < bar.from);
    if (lane < 0) lane = lanes.length;
    lanes[lane] = bar.to;
    const column = Math.max(0, daysBetween(first, bar.from));
    const until = Math.min(model.days.length - 1, daysBetween(first, bar.to));
    const button = eventButton(bar.event, model, "bar");
    button.style.setProperty("grid-column", `${column + 2} / ${until + 3}`);
    button.style.setProperty("grid-row", String(lane + 1));
    button.classList.toggle("cut-left", bar.from < first);
    button.classList.toggle("cut-right", bar.to > last);
    dragEvent(button, bar.event, model, row);
    row.append(button);
  }
  return row;
}

/** The part of an event that lies on a day, or null. */
function segment(event, day) {
  const next = addDays(day, 1);
  const [from, to] = [at(day, "00:00"), at(next, "00:00")];
  const end = event.end === event.start ? addMinutes(event.start, 1) : event.end;
  if (event.start >= to || end <= from) return null;
  const start = event.start > from ? minutesOfDay(event.start) : 0;
  const stop = end < to ? minutesOfDay(end) : 1440;
  return { event, start, stop: Math.max(stop, start + SHORTEST), startsHere: event.start >= from, endsHere: end <= to };
}

/** Overlapping segments side by side: each gets a column, and the room to its right that nobody needs. */
function columnsOf(segments) {
  segments.sort((a, b) => a.start - b.start || b.stop - a.stop);
  const clusters = [];
  for (const part of segments) {
    const cluster = clusters.at(-1);
    if (cluster && part.start < cluster.stop) {
      cluster.parts.push(part);
      cluster.stop = Math.max(cluster.stop, part.stop);
    } else {
      clusters.push({ parts: [part], stop: part.stop });
    }
  }
  for (const { parts } of clusters) {
    const stops = [];
    for (const part of parts) {
      part.column = stops.findIndex((stop) => stop <= part.start);
      if (part.column < 0) part.column = stops.length;
      stops[part.column] = part.stop;
    }
    for (const part of parts) {
      const meets = (other) => other !== part && other.start < part.stop && other.stop > part.start;
      const right = parts.filter((other) => meets(other) && other.column > part.column).map((other) => other.column);
      part.width = (right.length ? Math.min(...right) : stops.length) - part.column;
      part.of = stops.length;
    }
  }
  return segments;
}

function timedButton(part, model, grid) {
  const button = eventButton(part.event, model, "timed");
  const lines = Math.max(1, Math.floor((part.stop - part.start - 3) / MINUTES_A_LINE));
  const style = {
    "--from": part.start, "--to": part.stop, "--column": part.column, "--width": part.width, "--of": part.of, "--lines": lines,
    // Under its right neighbour an event goes on a little, as cards in a hand do: more of its title can be read.
    "--spread": part.column + part.width < part.of ? 1.6 : 1,
  };
  for (const [name, value] of Object.entries(style)) button.style.setProperty(name, value);
  button.classList.toggle("small", lines < 2);
  if (lines < 4) button.querySelector(".place")?.remove();
  if (part.event.editable && part.endsHere) button.append(el("span.grip", { ariaHidden: "true" }));
  dragEvent(button, part.event, model, grid);
  return button;
}

export function eventButton(event, model, kind) {
  const when = event.allDay ? showRange(event) : `${showShortDay(event.start)}, ${showRange(event)}`;
  const details = [event.title, when, event.calendarName, event.location, event.readOnlyNote];
  const time = kind === "timed" ? el("span.time", {}, showTime(event.start)) : null;
  return el(`button.event.${kind}`, {
    ariaLabel: details.filter(Boolean).join(", "), title: details.filter(Boolean).join("\n"),
    style: { "--c": event.color }, dataset: { event: event.id, status: event.status, mine: event.answer ?? "" },
    onclick: () => model.open(event),
  }, el("span.name", {}, event.title), time,
  kind === "timed" && event.location ? el("span.place", {}, event.location) : null);
}
