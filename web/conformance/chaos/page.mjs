// A page of the real `centrifuge` and `@trpc/client` with their own reconnects, for `cargo xtask chaos`.
//
// It follows the protocol, and answers each line on standard input with a line of JSON: the events that it shows, and the
// promises that it saw broken. It ends when its input does.

import readline from "node:readline";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { Centrifuge, State, SubscriptionState } from "centrifuge";
import WebSocket from "ws";

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const [apiUrl, wsUrl, jwt, user] = ["CALWIRE_API_URL", "CALWIRE_WS_URL", "CALWIRE_JWT", "CALWIRE_USER"].map(need);

/** Bound on a call, in milliseconds. */
const PATIENCE = 8_000;
const AGAIN = 200;
/** Violations that are kept; the first ones are the most useful. */
const KEPT = 5;

const api = createTRPCClient({
  links: [
    httpBatchLink({
      url: `${apiUrl}/trpc`,
      headers: { authorization: `Bearer ${jwt}` },
      fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(PATIENCE) }),
    }),
  ],
});

let [seq, published, loads, messages, sockets] = [0, 0, 0, 0, 0];
/** The stream and the window of the events. Null: nothing usable is held. */
let held = null;
/** The events of each series, by calendar and series. */
const series = new Map();
const broken = [];

const breaks = (promise, detail) => {
  if (broken.length < KEPT) broken.push({ promise, detail });
};
const keyOf = (calendar, id) => `${calendar} ${id}`;
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs work on messages and snapshots one after the other. */
let last = Promise.resolve();
const inTurn = (work) => {
  const done = last.then(work);
  last = done.catch(() => undefined);
  return done;
};

/** The id of an instance: of a master it is derived from the start. */
const idOf = ({ eventId, recurringEventId, allDay }, start) => {
  if (eventId !== recurringEventId) return eventId;
  const original = allDay ? start : new Date(start).toISOString();
  return `${eventId.replace(/(.)_R[\dTZ]{8,}$/, "$1")}_${original.replace(/[-:]|\.\d+/g, "")}`;
};

const put = (calendarId, { seriesId, events }) => {
  const instances = events.flatMap(({ instances, title = "", etag = "", ...event }) =>
    instances.map(([start]) => ({ calendarId, id: idOf(event, start), title, start, etag })),
  );
  for (const { title } of instances) {
    if (!title.startsWith(user)) breaks("only_its_user", `${user} is shown ${title}`);
  }
  if (instances.length > 0) series.set(keyOf(calendarId, seriesId), instances);
  else series.delete(keyOf(calendarId, seriesId));
};

/** Applies the next message. False: it does not contain the changes. */
const apply = (message) => {
  if (message.v !== 2) return false;
  if (message.type === "events.changed" && same(message.window, held.window)) {
    for (const changed of message.upserted) put(message.calendarId, changed);
    for (const id of message.deleted) series.delete(keyOf(message.calendarId, id));
  } else if (message.type !== "write.resolved") {
    return false;
  }
  seq = message.seq;
  return true;
};

/** Loads all events or what is new, and with `live` the position on the channel that it belongs to. */
const load = async (live) => {
  const state = await api.realtime.getState.query({ live, held: held ? { ...held, seq } : undefined });
  loads += 1;
  if (state.seq < published) {
    breaks("committed_before_published", `${published} was published, but a snapshot ends at ${state.seq}`);
  }
  if (state.snapshot) {
    series.clear();
    for (const [calendarId, all] of Object.entries(state.snapshot.series)) for (const one of all) put(calendarId, one);
    seq = state.seq;
  } else {
    const numbers = [seq, ...state.messages.map((message) => message.seq)];
    if (numbers.some((number, i) => number !== seq + i) || numbers.at(-1) !== state.seq) {
      breaks("nothing_skipped", `an answer up to ${state.seq} continues ${numbers}`);
    }
    if (!state.messages.every(apply)) {
      held = null;
      return load(live);
    }
  }
  held = { streamEpoch: state.streamEpoch, window: state.window };
  return { offset: state.offset, epoch: state.epoch };
};

const loadUntilItWorks = async () => {
  for (;;) {
    try {
      return await load(false);
    } catch {
      await pause(AGAIN);
    }
  }
};

const receive = async (message) => {
  messages += 1;
  published = Math.max(published, message.seq);
  if (message.seq <= seq) return;
  if (message.seq > seq + 1) breaks("nothing_skipped", `${message.seq} comes after ${seq}`);
  if (message.seq === seq + 1) {
    if (apply(message)) return;
    // The held events lack the changes of this message.
    held = null;
  }
  await loadUntilItWorks();
};

const socket = new Centrifuge(wsUrl, {
  websocket: WebSocket,
  getToken: async () => (await api.realtime.getConnectionToken.query()).token,
});
const subscription = socket.newSubscription(`calendar:${user}`, {
  getToken: async ({ channel }) => (await api.realtime.getSubscriptionToken.query({ channel })).token,
  getState: () => inTurn(() => load(true)),
});
subscription.on("publication", ({ data }) => void inTurn(() => receive(data)));
subscription.on("subscribed", ({ wasRecovering, recovered }) => {
  if (wasRecovering && !recovered) void inTurn(loadUntilItWorks);
});
subscription.on("unsubscribed", ({ code, reason }) => breaks("pages_come_back", `unsubscribed: ${code} ${reason}`));
subscription.on("error", () => undefined);
socket.on("connected", () => {
  sockets += 1;
});
socket.on("disconnected", ({ code, reason }) => breaks("pages_come_back", `disconnected: ${code} ${reason}`));
socket.on("error", () => undefined);
subscription.subscribe();
socket.connect();

for await (const _ of readline.createInterface({ input: process.stdin })) {
  // Waits for the messages that arrived before the question.
  await inTurn(() => undefined);
  const events = [...series.values()].flat();
  const answer = {
    live: socket.state === State.Connected && subscription.state === SubscriptionState.Subscribed,
    seq,
    events,
    broken,
    counts: { loads, messages, sockets },
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
