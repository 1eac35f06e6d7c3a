// The coming weeks as a list, a heading per day.

import { el } from "./dom.js";
import { addDays, dayOf, nowIn, showDay, showRange } from "./when.js";

/** `{ from, to, events, zone, open(event) }` → element */
export function agendaView(model) {
  const today = dayOf(nowIn(model.zone));
  const days = [];
  for (let day = model.from; day < model.to; day = addDays(day, 1)) {
    const events = model.events.filter((event) => covers(event, day)).sort(byStart);
    if (events.length === 0 && day !== today) continue;
    days.push(el("section", { ariaLabel: showDay(day), dataset: { day } },
      el("h2", { ariaCurrent: day === today ? "date" : null }, showDay(day), day === today ? el("small", {}, "today") : null),
      events.length ? el("ul", {}, events.map((event) => el("li", {}, row(event, model)))) : el("p.quiet", {}, "Nothing planned")));
  }
  if (days.length === 0) days.push(el("p.notice", {}, "No events in these weeks."));
  return el("div.agenda", {}, days);
}

function covers(event, day) {
  const next = addDays(day, 1);
  if (event.allDay) return event.start < next && event.end > day;
  if (event.start === event.end) return dayOf(event.start) === day;
  return event.start < `${next}T00:00` && event.end > `${day}T00:00`;
}

const byStart = (a, b) =>
  Number(b.allDay) - Number(a.allDay) || a.start.localeCompare(b.start) || a.title.localeCompare(b.title);

function row(event, model) {
  const details = [event.location, event.calendarName, event.recurringEventId ? "repeats" : null].filter(Boolean);
  return el("button.entry", {
    style: { "--c": event.color }, onclick: () => model.open(event),
    dataset: { event: event.id, status: event.status, mine: event.answer ?? "" },
  }, el("span.when", {}, showRange(event)),
  el("span.what", {}, el("b", {}, event.title), el("span.quiet", {}, details.join(" · "))));
}
