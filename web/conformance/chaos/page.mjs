// A page of the real `centrifuge` and `@trpc/client` with their own ways to come back, for `cargo xtask chaos`.
//
// It keeps its events by the rules of the protocol, and answers each line on standard input with one of JSON: what it shows,
// and which promises it has seen broken. It ends with its input.

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

/** A browser gives up a call by then. */
const PATIENCE = 8_000;
const AGAIN = 200;
/** The first ones tell the story. */
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

let [seq, told, loads, messages, sockets] = [0, 0, 0, 0, 0];
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

/** Messages and snapshots, one after the other. */
let last = Promise.resolve();
const inTurn = (work) => {
  const done = last.then(work);
  last = done.catch(() => undefined);
  return done;
};

const show = (event) => {
  if (!event.title.startsWith(user)) breaks("only_its_user", `${user} is shown ${event.title}`);
};

/** Everything anew, and with `live` the position on the channel that it began with. */
const load = async (live) => {
  const state = await api.realtime.getState.query({ live });
  loads += 1;
  if (state.seq < told) breaks("committed_before_told", `${told} was told, and a snapshot ends at ${state.seq}`);
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

const hear = async (message) => {
  messages += 1;
  told = Math.max(told, message.seq);
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
subscription.on("publication", ({ data }) => void inTurn(() => hear(data)));
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
  // What came before the question is in the answer.
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
