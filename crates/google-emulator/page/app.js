// Who is shown, what is shown, and when it is fetched again.

import { agendaView } from "./agenda.js";
import { Calendar, admin } from "./api.js";
import { byId, el, toast } from "./dom.js";
import { pointer } from "./drag.js";
import { askScope, edit, show } from "./editor.js";
import { fromResource } from "./model.js";
import { refreshPanel } from "./panel.js";
import { newBody, save } from "./save.js";
import { placeNow, weekView } from "./week.js";
import { addDays, addMinutes, at, dayOf, minutesBetween, nowIn, showDate, showMonth, timeOf, weekStart } from "./when.js";

const REFRESH_MS = 2000;
const AGENDA_DAYS = 28;
const narrow = matchMedia("(max-width: 700px)");

const state = {
  user: null, api: null, zone: "UTC", calendars: [], colors: null, hidden: new Set(), events: [],
  view: narrow.matches ? "agenda" : "week", day: null, revision: null, scroll: null, loading: 0,
};

// ---- what is shown

function days() {
  const first = narrow.matches ? state.day : weekStart(state.day);
  return Array.from({ length: narrow.matches ? 3 : 7 }, (_, index) => addDays(first, index));
}

function range() {
  if (state.view === "agenda") return [state.day, addDays(state.day, AGENDA_DAYS)];
  const shown = days();
  return [shown[0], addDays(shown.at(-1), 1)];
}

function render() {
  if (pointer.busy) {
    pointer.idle = render;
    return;
  }
  const [from, to] = range();
  byId("week").setAttribute("aria-pressed", String(state.view === "week"));
  byId("agenda").setAttribute("aria-pressed", String(state.view === "agenda"));
  byId("period").textContent = state.view === "week" && !narrow.matches
    ? showMonth(addDays(from, 3)) : `${showDate(from)} – ${showDate(addDays(to, -1))}`;
  const events = state.events.filter((event) => !state.hidden.has(event.calendarId));
  const model = { from, to, days: days(), events, zone: state.zone, open, create, move };
  const view = byId("view");
  // Which state of the emulator is shown, for whoever tests the page.
  view.dataset.revision = state.revision;
  const focused = document.activeElement?.closest?.("[data-event]")?.dataset.event;
  const old = view.querySelector(".scroll");
  if (old) state.scroll = old.scrollTop;
  view.replaceChildren(state.view === "week" ? weekView(model) : agendaView(model));
  const scroll = view.querySelector(".scroll");
  if (scroll) scroll.scrollTop = state.scroll ?? (6.8 / 24) * scroll.querySelector(".grid").clientHeight;
  if (focused) view.querySelector(`[data-event="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function renderCalendars() {
  byId("zone").textContent = `Times in ${state.zone.replaceAll("_", " ")}`;
  byId("calendars").replaceChildren(...state.calendars.map((calendar) => el("li", {},
    el("label.check", { style: { "--c": calendar.backgroundColor } },
      el("input", {
        type: "checkbox", checked: !state.hidden.has(calendar.id),
        onchange: (event) => {
          if (event.target.checked) state.hidden.delete(calendar.id);
          else state.hidden.add(calendar.id);
          render();
        },
      }),
      el("span", {}, calendar.name), calendar.writable ? null : el("small", {}, "read only")))));
}

// ---- what is fetched

async function load() {
  const ticket = ++state.loading;
  const { api } = state;
  // Read first: a change that comes in meanwhile is then seen by the next round.
  const { revision } = await admin.state();
  const entries = await api.calendars();
  const writable = new Set(["owner", "writer", "writerWithoutPrivateAccess"]);
  const calendars = entries.filter((entry) => !entry.deleted).map((entry) => ({
    ...entry, name: entry.summaryOverride ?? entry.summary, writable: writable.has(entry.accessRole),
  })).sort((a, b) => Number(b.primary ?? false) - Number(a.primary ?? false) || a.name.localeCompare(b.name));
  const zone = calendars.find((calendar) => calendar.primary)?.timeZone ?? calendars[0]?.timeZone ?? "UTC";
  if (ticket !== state.loading) return;
  state.day ??= dayOf(nowIn(zone));
  state.zone = zone;
  const [from, to] = range();
  const lists = await Promise.all(calendars.map(async (calendar) => {
    // A day more on both sides covers every zone.
    const items = await api.events(calendar.id, addDays(from, -1), addDays(to, 1), zone);
    return items.filter((item) => item.status !== "cancelled" && item.start)
      .map((item) => fromResource(item, calendar, state.colors));
  }));
  // A later choice of account or week has started its own load.
  if (ticket !== state.loading) return;
  Object.assign(state, { revision, calendars, events: lists.flat() });
  renderCalendars();
  render();
}

async function reload() {
  try {
    await load();
  } catch (error) {
    toast(`Could not load: ${error.message}`, "error");
  }
}

/** The emulator counts its writes; a new number means that something changed, here or elsewhere. */
async function watch() {
  try {
    const { revision } = await admin.state();
    if (revision !== state.revision) await load();
    if (!byId("panel").hidden) await refreshPanel(byId("panel"), state.user, calendarName);
    placeNow(byId("view"), state.zone);
    document.body.classList.remove("away");
  } catch {
    // The emulator is away; the next round tries again.
    document.body.classList.add("away");
  }
  setTimeout(watch, REFRESH_MS);
}

const calendarName = (id) => state.calendars.find((calendar) => calendar.id === id)?.name ?? id;

async function choose(user) {
  state.user = user;
  state.api = new Calendar(user);
  state.hidden = new Set();
  state.events = [];
  state.colors ??= await state.api.colors().catch(() => null);
  history.replaceState(null, "", `#${encodeURIComponent(user)}`);
  await reload();
  if (!byId("panel").hidden) await refreshPanel(byId("panel"), user, calendarName);
}

// ---- what a person does

async function create(start, end) {
  const calendar = state.calendars.find((each) => each.writable && !state.hidden.has(each.id)) ?? state.calendars.find((each) => each.writable);
  if (!calendar) return void toast("No calendar of this account can be written to", "error");
  const allDay = start.length === 10;
  const result = await edit({ title: "", allDay, start, end, zone: state.zone, calendarId: calendar.id }, state.calendars);
  if (result) await write("Event added", () => state.api.insert(result.draft.calendarId, newBody(result.draft)));
}

async function open(event) {
  if (!event.editable) return void show(event);
  // Its own zone is the one it is edited in: a meeting at nine in New York is changed to ten in New York.
  const zone = event.raw.start.timeZone ?? state.zone;
  let own;
  let master = null;
  try {
    own = await state.api.event(event.calendarId, event.id, zone);
    if (own.recurringEventId) master = await state.api.event(event.calendarId, own.recurringEventId, zone);
  } catch (error) {
    return void toast(error.message, "error");
  }
  const shown = fromResource(own, calendarOf(event), state.colors);
  const draft = {
    id: own.id, recurringEventId: own.recurringEventId, etag: own.etag, title: own.summary ?? "", allDay: shown.allDay,
    start: shown.start, end: shown.end, zone, calendarId: event.calendarId, location: own.location,
    description: own.description, guests: (own.attendees ?? []).map((guest) => guest.email).join(", "),
    recurrence: (master ?? own).recurrence, meet: own.hangoutLink, resource: own,
    movable: !own.recurringEventId && (own.eventType ?? "default") === "default",
  };
  const result = await edit(draft, state.calendars);
  if (result?.action === "delete") {
    const id = result.scope === "all" && own.recurringEventId ? own.recurringEventId : own.id;
    await write("Event deleted", () => state.api.remove(event.calendarId, id));
  } else if (result) {
    await write("Event saved", () => save(state.api, draft, result.draft, result.scope === "all" ? master : null));
  }
}

async function move(event, start, end) {
  const scope = event.recurringEventId ? await askScope("Move recurring event") : "one";
  if (!scope) return void render();
  await write("Event moved", async () => {
    // The page draws in its own zone, the event keeps the one it has: what moves is the distance.
    const zone = event.raw.start.timeZone ?? state.zone;
    const { api } = state;
    const own = fromResource(await api.event(event.calendarId, event.id, zone), calendarOf(event), state.colors);
    const shift = (time, from, to) => (event.allDay ? to : addMinutes(time, minutesBetween(from, to)));
    const before = { ...own, etag: event.etag, zone };
    const after = { ...before, start: shift(own.start, event.start, start), end: shift(own.end, event.end, end) };
    const master = scope === "all" ? await api.event(event.calendarId, event.recurringEventId, zone) : null;
    await save(api, before, after, master);
  });
}

const calendarOf = (event) => state.calendars.find((calendar) => calendar.id === event.calendarId);

async function write(done, action) {
  try {
    await action();
    toast(done);
  } catch (error) {
    toast(error.status === 412 ? "Someone changed this event meanwhile. Here is its present state; try again." : error.message, "error");
  }
  await reload();
}

// ---- what is clicked and pressed

function go(direction) {
  const step = state.view === "agenda" ? AGENDA_DAYS : narrow.matches ? 3 : 7;
  state.day = direction === 0 ? dayOf(nowIn(state.zone)) : addDays(state.day, direction * step);
  render();
  return reload();
}

function setView(view) {
  state.view = view;
  render();
  return reload();
}

function togglePanel() {
  const panel = byId("panel");
  panel.hidden = !panel.hidden;
  byId("pushes").setAttribute("aria-pressed", String(!panel.hidden));
  if (!panel.hidden) refreshPanel(panel, state.user, calendarName).catch((error) => toast(error.message, "error"));
}

function toggleSide(on = !document.body.classList.contains("side-open")) {
  document.body.classList.toggle("side-open", on);
  byId("menu").setAttribute("aria-expanded", String(on));
}

function newEvent() {
  toggleSide(false);
  const now = nowIn(state.zone);
  const [from, to] = range();
  const day = dayOf(now) >= from && dayOf(now) < to ? dayOf(now) : from;
  const hour = Math.min(22, Number(timeOf(now).slice(0, 2)) + 1);
  const clock = (value) => `${String(value).padStart(2, "0")}:00`;
  return create(at(day, clock(hour)), at(day, clock(hour + 1)));
}

const shortcuts = {
  t: () => go(0), ArrowLeft: () => go(-1), ArrowRight: () => go(1), k: () => go(-1), j: () => go(1),
  w: () => setView("week"), a: () => setView("agenda"), n: newEvent, p: togglePanel,
};

function listen() {
  byId("today").onclick = () => go(0);
  byId("back").onclick = () => go(-1);
  byId("on").onclick = () => go(1);
  byId("week").onclick = () => setView("week");
  byId("agenda").onclick = () => setView("agenda");
  byId("pushes").onclick = togglePanel;
  byId("create").onclick = newEvent;
  byId("add").onclick = newEvent;
  byId("menu").onclick = () => toggleSide();
  byId("view").addEventListener("pointerdown", () => toggleSide(false));
  byId("account").onchange = (event) => choose(event.target.value);
  narrow.addEventListener("change", () => reload());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "Escape") toggleSide(false);
    const action = shortcuts[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

async function start() {
  // A link may name a day: /?day=2026-11-25#alice@example.com
  const day = new URLSearchParams(location.search).get("day");
  if (/^\d{4}-\d\d-\d\d$/.test(day ?? "")) state.day = day;
  listen();
  const users = await admin.users();
  const wanted = decodeURIComponent(location.hash.slice(1));
  const user = users.find((each) => each.email === wanted) ?? users[0];
  byId("account").replaceChildren(...users.map((each) =>
    el("option", { value: each.email, selected: each === user }, each.name && each.name !== each.email ? `${each.name} (${each.email})` : each.email)));
  if (!user) {
    byId("view").replaceChildren(el("p.notice", {}, "No accounts. Start the emulator with --seed, or add one by POST /_emulator/users."));
    return;
  }
  await choose(user.email);
  await watch();
}

start().catch((error) => byId("view").replaceChildren(el("p.notice", {}, `The emulator does not answer: ${error.message}`)));
