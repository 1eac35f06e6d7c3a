// Moving, stretching and drawing events with a mouse or pen. A finger scrolls; it has the editor's fields instead.

import { el } from "./dom.js";
import { addDays, addMinutes, at, dayOf, minutesBetween } from "./when.js";

const STEP = 15;
/** Pixels before a press becomes a drag. */
const SLACK = 4;

/** While a pointer is down what it holds must not be drawn anew; whoever wanted to is called when it is up. */
export const pointer = { busy: false, idle: null };

const snap = (minutes) => Math.round(minutes / STEP) * STEP;

/** Lets `button` be dragged inside `area` (the grid, or the all-day row). */
export function dragEvent(button, event, model, area) {
  if (!event.editable) return;
  button.addEventListener("pointerdown", (down) => {
    if (down.button !== 0 || down.pointerType === "touch") return;
    const stretching = down.target.classList.contains("grip");
    const geometry = geometryOf(area, model.days.length);
    let result = null;
    follow(button, down, (move) => {
      const days = stretching ? 0 : Math.round((move.clientX - down.clientX) / geometry.dayWidth);
      const minutes = event.allDay ? 0 : snap((move.clientY - down.clientY) / geometry.minuteHeight);
      const vertical = geometry.minuteHeight === Infinity ? 0 : minutes;
      button.classList.add("dragged");
      if (stretching) {
        const end = addMinutes(event.end, vertical);
        result = minutesBetween(event.start, end) >= STEP ? [event.start, end] : null;
        if (result) button.style.setProperty("--stretch", vertical);
      } else {
        result = [event.start, event.end].map((time) => addDays(event.allDay ? time : addMinutes(time, vertical), days));
        button.style.setProperty("--dx", `${days * geometry.dayWidth}px`);
        button.style.setProperty("--dy", `${vertical * (geometry.minuteHeight === Infinity ? 0 : geometry.minuteHeight)}px`);
      }
    }, (dropped) => {
      button.classList.remove("dragged");
      for (const name of ["--dx", "--dy", "--stretch"]) button.style.removeProperty(name);
      const moved = dropped && result && (result[0] !== event.start || result[1] !== event.end);
      if (moved) model.move(event, ...result);
    });
  });
}

/** Lets an empty part of a day be drawn on: a click makes an hour, a drag makes what it covers. */
export function dragNew(column, day, model) {
  const time = (minutes) => (minutes >= 1440 ? at(addDays(day, 1), "00:00") : addMinutes(at(day, "00:00"), minutes));
  column.addEventListener("click", (click) => {
    if (click.target !== column || column.dataset.drawn) return;
    const minute = minuteAt(column, click.clientY);
    const start = Math.floor(minute / 30) * 30;
    model.create(time(start), time(start + 60));
  });
  column.addEventListener("pointerdown", (down) => {
    if (down.target !== column || down.button !== 0 || down.pointerType === "touch") return;
    const from = Math.floor(minuteAt(column, down.clientY) / STEP) * STEP;
    const ghost = el("div.ghost");
    let range = null;
    follow(column, down, (move) => {
      const to = Math.min(1440, Math.max(0, snap(minuteAt(column, move.clientY))));
      range = [Math.min(from, to), Math.max(from + STEP, to)];
      ghost.style.setProperty("--from", range[0]);
      ghost.style.setProperty("--to", range[1]);
      column.append(ghost);
    }, (dropped) => {
      ghost.remove();
      if (dropped && range) model.create(time(range[0]), time(range[1]));
    });
  });
}

const minuteAt = (column, y) => {
  const box = column.getBoundingClientRect();
  return ((y - box.top) / box.height) * 1440;
};

function geometryOf(area, days) {
  const column = area.querySelector(".day")?.getBoundingClientRect();
  if (column) return { dayWidth: column.width, minuteHeight: column.height / 1440 };
  const box = area.getBoundingClientRect();
  const corner = area.querySelector(".corner").getBoundingClientRect().width;
  return { dayWidth: (box.width - corner) / days, minuteHeight: Infinity };
}

/** Follows a pointer from `down` on: `moved` once it left its place, `ended(dropped)` if it ever did. Escape gives up. */
function follow(element, down, moved, ended) {
  let dragging = false;
  pointer.busy = true;
  // From the start: a quick hand is out of a small element before its first move is told.
  element.setPointerCapture(down.pointerId);
  const move = (event) => {
    if (!dragging && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < SLACK) return;
    dragging = true;
    moved(event);
  };
  const finish = (dropped) => {
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", cancel);
    window.removeEventListener("keydown", key, true);
    pointer.busy = false;
    const { idle } = pointer;
    pointer.idle = null;
    // After the click that follows, whose target must still be there.
    if (idle) setTimeout(idle, 0);
    if (!dragging) return;
    // The click that follows a drag belongs to the drag.
    const swallow = (click) => { click.stopPropagation(); click.preventDefault(); };
    window.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", swallow, true), 0);
    ended(dropped);
  };
  const up = () => finish(true);
  const cancel = () => finish(false);
  const key = (event) => {
    if (event.key === "Escape") { event.stopPropagation(); finish(false); }
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", cancel);
  window.addEventListener("keydown", key, true);
}
