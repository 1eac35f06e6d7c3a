// What the emulator pushed lately, and a few faults at a click.

import { admin } from "./api.js";
import { ask, el, toast } from "./dom.js";

const DROP = "page-drop-pushes";
const LATE = "page-late-pushes";
const REFUSE = "page-refuse-calls";

/** Ready-made faults; each is one rule of the admin API, for the account that is shown. */
const FAULTS = [
  { id: DROP, label: "Drop every push", rule: { endpoint: "push*", fault: "drop" } },
  { id: LATE, label: "Delay pushes by 5 s", rule: { endpoint: "push", fault: "delay", ms: 5000 } },
  { id: REFUSE, label: "Answer events.list with 503", rule: { endpoint: "events.list", fault: "error", status: 503, reason: "backendError" } },
];

/** Fills `panel` for `user`; `calendarName(id)` names a calendar. */
export async function refreshPanel(panel, user, calendarName) {
  const [pushes, faults] = await Promise.all([admin.pushes(user), admin.faults()]);
  const active = new Set(faults.map((rule) => rule.id));
  const list = pushes.reverse();
  if (!panel.firstChild) panel.append(el("div.faults"), el("h2", {}, "Pushes lately"), el("ol.pushes"));
  const faultsNow = JSON.stringify([user, [...active]]);
  if (panel.dataset.faults !== faultsNow) {
    panel.dataset.faults = faultsNow;
    panel.querySelector(".faults").replaceChildren(...faultButtons(panel, user, active, calendarName));
  }
  panel.querySelector(".pushes").replaceChildren(...(list.length
    ? list.map((push) => row(push, calendarName))
    : [el("li.quiet", {}, "None yet. A push is sent when someone watches a calendar of this account and an event changes.")]));
}

function faultButtons(panel, user, active, calendarName) {
  const again = () => refreshPanel(panel, user, calendarName);
  const switches = FAULTS.map(({ id, label, rule }) => el("button.switch", {
    role: "switch", ariaChecked: String(active.has(`${id}-${user}`)),
    onclick: () => attempt(async () => {
      if (active.has(`${id}-${user}`)) await admin.removeFault(`${id}-${user}`);
      else await admin.addFault({ ...rule, id: `${id}-${user}`, user });
      await again();
    }),
  }, el("span.knob", { ariaHidden: "true" }), label));
  const revoke = el("button.danger", {
    onclick: () => attempt(async () => {
      const sure = await ask("Revoke access", `Every token of ${user} dies, as if access had been withdrawn in the Google account.`,
        [{ label: "Revoke", value: "yes", kind: "danger" }]);
      if (!sure) return;
      await admin.revoke(user);
      toast(`Access of ${user} is revoked`);
    }),
  }, "Revoke access …");
  return [el("h2", {}, "Faults"), ...switches, revoke];
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    toast(error.message, "error");
  }
}

function row(push, calendarName) {
  const delivered = push.status >= 200 && push.status < 300;
  const outcome = push.status ?? push.error ?? "waiting";
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(new Date(push.at));
  return el("li", { dataset: { outcome: delivered ? "ok" : "failed" } },
    el("span.what", {}, push.calendar ? calendarName(push.calendar) : "Calendar list"),
    el("span.outcome", {}, String(outcome)),
    el("span.quiet", {}, `${time} · ${push.resourceState} · no. ${push.messageNumber}${push.attempt > 1 ? ` · try ${push.attempt}` : ""}`));
}
