// The dialog in which an event is made, changed and deleted.

import { ask, byId, el } from "./dom.js";
import { repeatChoices } from "./model.js";
import { addDays, addMinutes, at, dayOf, minutesBetween, showDay, showRange, timeOf } from "./when.js";

const ZONES = ["Europe/Zurich", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Kathmandu", "Asia/Tokyo", "UTC"];

/**
 * Shows the dialog for `draft`: `{ title, allDay, start, end, zone, calendarId, location, description, guests, recurrence }`,
 * for an existing event with `id`, and for an instance of a series with `recurringEventId`.
 * Resolves with `{ action: "save", draft, scope }`, `{ action: "delete", scope }` or null; scope is "one" or "all".
 */
export function edit(draft, calendars) {
  return new Promise((resolve) => {
    const dialog = byId("editor");
    const form = new Form(draft, calendars);
    let result = null;
    form.element.onsubmit = (event) => {
      event.preventDefault();
      const problem = form.problem();
      form.showProblem(problem);
      if (problem) return;
      result = { action: "save", draft: form.draft(), scope: form.scope() };
      dialog.close();
    };
    form.element.querySelector("[data-cancel]").onclick = () => dialog.close();
    const remove = form.element.querySelector("[data-delete]");
    if (remove) {
      remove.onclick = async () => {
        const scope = draft.recurringEventId ? await askScope("Delete recurring event") : await confirmDelete(draft.title);
        if (!scope) return;
        result = { action: "delete", scope };
        dialog.close();
      };
    }
    dialog.onclose = () => resolve(result);
    dialog.replaceChildren(form.element);
    dialog.showModal();
    form.fields.title.focus();
    form.fields.title.select();
  });
}

/** Which events a change is for: "one", "all" or null. */
export const askScope = (title) => ask(title, "It is one of a series.", [
  { label: "This event", value: "one", kind: "primary" },
  { label: "All events", value: "all" },
]);

const confirmDelete = (title) => ask("Delete event", title, [{ label: "Delete", value: "one", kind: "danger" }]);

/** An event that cannot be changed, to be read. */
export function show(event) {
  const dialog = byId("editor");
  const { raw } = event;
  const guests = (raw.attendees ?? []).map((guest) => `${guest.displayName ?? guest.email} (${guest.responseStatus})`);
  const line = (label, ...content) => (content.some(Boolean) ? el("p.fact", {}, el("b", {}, label), el("span", {}, ...content)) : null);
  dialog.onclose = null;
  dialog.replaceChildren(el("form.sheet", { method: "dialog" },
    el("h2", { id: "editor-title" }, event.title),
    line("When", event.allDay ? `${showDay(event.start)}, ${showRange(event)}` : `${showDay(event.start)}, ${showRange(event)}`),
    line("Calendar", [event.calendarName, event.readOnlyNote].filter(Boolean).join(" · ")),
    line("Where", event.location), line("Meet", meetLink(raw)), line("Guests", guests.join(", ")),
    line("About", raw.description),
    el("div.actions", {}, el("span.grow"), el("button.primary", { type: "submit" }, "Close"))));
  dialog.showModal();
}

function meetLink(raw) {
  const link = raw.hangoutLink ?? "";
  return link.startsWith("https://") ? el("a", { href: link, target: "_blank", rel: "noreferrer" }, link.slice(8)) : null;
}

class Form {
  constructor(draft, calendars) {
    this.original = draft;
    this.fields = {};
    const isNew = !draft.id;
    const last = draft.allDay ? addDays(draft.end, -1) : dayOf(draft.end);
    const time = (naive, fallback) => (draft.allDay ? fallback : timeOf(naive));
    const field = (name, label, input) => {
      this.fields[name] = input;
      input.id = `field-${name}`;
      input.name = name;
      return el("label.field", { htmlFor: input.id, dataset: { field: name } }, el("span", {}, label), input);
    };
    const options = (pairs, chosen) => pairs.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
    const writable = calendars.filter((calendar) => calendar.writable);
    const zones = [...new Set([draft.zone, ...ZONES])].map((zone) => [zone, zone.replaceAll("_", " ")]);
    this.element = el("form.sheet", { method: "dialog", noValidate: true },
      el("h2", { id: "editor-title" }, isNew ? "New event" : "Edit event"),
      field("title", "Title", el("input", { type: "text", value: draft.title ?? "", placeholder: "Add title", autocomplete: "off" })),
      el("label.check", {}, this.fields.allDay = el("input", { type: "checkbox", checked: draft.allDay }), "All day"),
      el("div.row", {},
        field("startDay", "Starts", el("input", { type: "date", value: dayOf(draft.start), required: true })),
        field("startTime", "at", el("input", { type: "time", value: time(draft.start, "09:00"), required: true }))),
      el("div.row", {},
        field("endDay", "Ends", el("input", { type: "date", value: last, required: true })),
        field("endTime", "at", el("input", { type: "time", value: time(draft.end, "10:00"), required: true }))),
      el("div.row", {},
        field("zone", "Time zone", el("select", {}, options(zones, draft.zone))),
        // Google moves whole events only, and of the ordinary type.
        field("calendar", "Calendar", el("select", { disabled: !isNew && !draft.movable }, options(
          writable.map((calendar) => [calendar.id, calendar.name]), draft.calendarId)))),
      field("repeat", "Repeats", el("select", {})),
      field("rule", "Rule (RFC 5545)", el("input", { type: "text", spellcheck: false, value: ruleOf(draft) })),
      field("location", "Where", el("input", { type: "text", value: draft.location ?? "", autocomplete: "off" })),
      field("guests", "Guests", el("input", { type: "text", value: draft.guests ?? "", placeholder: "ann@example.com, ben@example.com", autocomplete: "off" })),
      field("description", "About", el("textarea", { rows: 3, value: draft.description ?? "" })),
      draft.meet ? el("p.fact", {}, el("b", {}, "Meet"), meetLink({ hangoutLink: draft.meet })) : null,
      draft.recurringEventId ? this.scopeChoice() : null,
      el("p.problem", { role: "alert", hidden: true }),
      el("div.actions", {},
        isNew ? null : el("button.danger", { type: "button", dataset: { delete: "" } }, "Delete"),
        el("span.grow"),
        el("button", { type: "button", dataset: { cancel: "" } }, "Cancel"),
        el("button.primary", { type: "submit" }, "Save")));
    this.length = draft.allDay ? null : minutesBetween(draft.start, draft.end);
    this.offerRepeats();
    this.listen();
    this.adapt();
  }

  scopeChoice() {
    const radio = (value, text, checked) =>
      el("label.check", {}, el("input", { type: "radio", name: "scope", value, checked }), text);
    return el("fieldset.scope", {}, el("legend", {}, "Applies to"), radio("one", "This event", true), radio("all", "All events of the series", false));
  }

  scope() {
    return this.original.recurringEventId && this.element.elements.scope.value === "one" ? "one" : "all";
  }

  /** The choices name the day the event starts on; what was chosen stays chosen when that day changes. */
  offerRepeats() {
    const { repeat, startDay } = this.fields;
    const rule = ruleOf(this.original);
    const known = repeatChoices(startDay.value || dayOf(this.original.start));
    const written = known.some(([value]) => value === rule) ? [] : [[rule, "As written below"]];
    const choices = [...known, ...written, ["custom", "By a rule of your own …"]];
    const chosen = repeat.options.length ? Math.min(repeat.selectedIndex, choices.length - 1) : choices.findIndex(([value]) => value === rule);
    repeat.replaceChildren(...choices.map(([value, text]) => el("option", { value }, text)));
    repeat.selectedIndex = chosen;
  }

  listen() {
    const { allDay, startDay, startTime, endDay, endTime, repeat } = this.fields;
    const moveEnd = () => {
      // The end follows the start, as long as the event was.
      if (!startDay.value || !startTime.value) return;
      if (allDay.checked || this.length === null) {
        if (endDay.value < startDay.value) endDay.value = startDay.value;
        return;
      }
      const end = addMinutes(at(startDay.value, startTime.value), this.length);
      [endDay.value, endTime.value] = [dayOf(end), timeOf(end)];
    };
    startTime.onchange = moveEnd;
    startDay.onchange = () => {
      moveEnd();
      // A series that is edited keeps its rule; moving it shifts the rule's days when it is saved.
      if (startDay.value && !this.original.recurrence?.length) {
        this.offerRepeats();
        this.adapt();
      }
    };
    for (const input of [endDay, endTime]) {
      input.onchange = () => {
        if (!allDay.checked && endDay.value && endTime.value) {
          const minutes = minutesBetween(at(startDay.value, startTime.value), at(endDay.value, endTime.value));
          if (minutes >= 0) this.length = minutes;
        }
      };
    }
    allDay.onchange = () => this.adapt();
    repeat.onchange = () => this.adapt();
    this.element.addEventListener("change", (event) => event.target.name === "scope" && this.adapt());
  }

  /** Shows what applies. */
  adapt() {
    const { allDay, repeat, rule } = this.fields;
    const visible = (name, on) => { this.element.querySelector(`[data-field=${name}]`).hidden = !on; };
    for (const name of ["startTime", "endTime", "zone"]) visible(name, !allDay.checked);
    const series = this.scope() === "all";
    const written = repeat.value === "custom" || repeat.selectedOptions[0]?.textContent === "As written below";
    visible("repeat", series);
    visible("rule", series && written);
    if (!written) rule.value = repeat.value;
  }

  problem() {
    const { allDay, startDay, startTime, endDay, endTime, guests, rule, title } = this.fields;
    if (!startDay.value || !endDay.value) return [startDay.value ? endDay : startDay, "Choose a day."];
    if (!allDay.checked && !(startTime.value && endTime.value)) return [startTime.value ? endTime : startTime, "Choose a time."];
    const { start, end } = this.draft();
    if (end < start) return [allDay.checked ? endDay : endTime, "The end is before the start."];
    const bad = this.draft().attendees.find((email) => !/^[^\s@]+@[^\s@]+$/.test(email));
    if (bad) return [guests, `“${bad}” is not an e-mail address.`];
    if (rule.value && !/^(RRULE|RDATE|EXDATE)[:;]/.test(rule.value)) return [rule, "A rule starts with RRULE:"];
    return title.value.length > 1024 ? [title, "The title is longer than 1024 characters."] : null;
  }

  showProblem(problem) {
    const message = this.element.querySelector(".problem");
    for (const input of Object.values(this.fields)) input.removeAttribute("aria-invalid");
    message.hidden = !problem;
    message.textContent = problem?.[1] ?? "";
    if (problem) {
      problem[0].setAttribute("aria-invalid", "true");
      problem[0].focus();
    }
  }

  draft() {
    const value = (name) => this.fields[name].value.trim();
    const allDay = this.fields.allDay.checked;
    const rest = (this.original.recurrence ?? []).filter((line) => !line.startsWith("RRULE"));
    const rule = value("rule");
    return {
      ...this.original,
      title: value("title"),
      allDay,
      start: allDay ? value("startDay") : at(value("startDay"), value("startTime")),
      end: allDay ? addDays(value("endDay"), 1) : at(value("endDay"), value("endTime")),
      zone: value("zone"),
      calendarId: value("calendar"),
      location: value("location"),
      description: this.fields.description.value,
      attendees: value("guests").split(/[,;\s]+/).filter(Boolean),
      recurrence: rule ? [rule, ...rest] : [],
    };
  }
}

const ruleOf = (draft) => draft.recurrence?.find((line) => line.startsWith("RRULE")) ?? "";
