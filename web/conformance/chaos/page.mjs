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
let window = null;
/** By calendar and series. */
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

const show = (event) => {
  if (!event.title.startsWith(user)) breaks("only_its_user", `${user} is shown ${event.title}`);
};

/** Loads a snapshot, and with `live` the position on the channel that it belongs to. */
const load = async (live) => {
  const state = await api.realtime.getState.query({ live });
  loads += 1;
  if (state.seq < published) {
    breaks("committed_before_published", `${published} was published, but a snapshot ends at ${state.seq}`);
  }
  seq = state.seq;
  window = state.window;
  series.clear();
  for (const event of state.events) {
    show(event);
    const key = keyOf(event.calendarId, event.recurringEventId ?? event.eventId);
    series.set(key, [...(series.get(key) ?? []), event]);
  }
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
  const isNext = message.seq === seq + 1;
  if (isNext && message.type === "write.resolved") {
    seq = message.seq;
  } else if (isNext && message.type === "events.changed" && same(message.window, window)) {
    seq = message.seq;
    for (const { eventId, occurrences } of message.upserted) {
      occurrences.forEach(show);
      if (occurrences.length > 0) series.set(keyOf(message.calendarId, eventId), occurrences);
      else series.delete(keyOf(message.calendarId, eventId));
    }
    for (const id of message.deleted) series.delete(keyOf(message.calendarId, id));
  } else {
    await loadUntilItWorks();
  }
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
    events: events.map(({ calendarId, id, title, start, etag }) => ({ calendarId, id, title, start, etag })),
    broken,
    counts: { loads, messages, sockets },
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
