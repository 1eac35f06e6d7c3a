// The real centrifuge client connects and subscribes with calendar-api's tokens, starts from its state, and receives.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { Centrifuge, UnauthorizedError } from "centrifuge";
import WebSocket from "ws";
import { apiUrl, bearer, jwt, otherJwt, publishKey, publishUrl, userOf, wsUrl } from "./stack.mjs";

const sockets = [];
after(() => sockets.forEach((socket) => socket.disconnect()));

const apiOf = (token) =>
  createTRPCClient({ links: [httpBatchLink({ url: `${apiUrl}/trpc`, headers: bearer(token) })] });

const connect = (token) => {
  const api = apiOf(token);
  const socket = new Centrifuge(wsUrl, {
    websocket: WebSocket,
    getToken: async () => (await api.realtime.getConnectionToken.query()).token,
  });
  sockets.push(socket);
  socket.connect();
  return { api, socket };
};

/** The next event of that name, within ten seconds. */
const next = (emitter, name) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} in time`)), 10_000);
    emitter.once(name, (context) => {
      clearTimeout(timer);
      resolve(context);
    });
  });

const publish = async (channel, data) => {
  const response = await fetch(`${publishUrl}/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": publishKey },
    body: JSON.stringify({ channel, data }),
  });
  const body = await response.json();
  assert.ok(body.result, JSON.stringify(body));
  return body.result;
};

describe("centrifuge", () => {
  const channel = `calendar:${userOf(jwt)}`;

  test("one's own channel starts with a state, then publications follow", async () => {
    const { api, socket } = connect(jwt);
    let state;
    const subscription = socket.newSubscription(channel, {
      getToken: async ({ channel }) => (await api.realtime.getSubscriptionToken.query({ channel })).token,
      getState: async () => {
        state = await api.realtime.getState.query();
        return { offset: state.offset, epoch: state.epoch };
      },
    });
    const subscribed = next(subscription, "subscribed");
    subscription.subscribe();
    await subscribed;
    assert.ok(state, "getState was called");
    assert.ok(Array.isArray(state.calendars));
    assert.equal(typeof state.seq, "number");
    assert.equal(state.connected, true);
    for (const [calendarId, all] of Object.entries(state.snapshot.series)) {
      assert.ok(state.calendars.some((calendar) => calendar.calendarId === calendarId));
      for (const { seriesId, events } of all) {
        assert.equal(typeof seriesId, "string");
        assert.ok(events.length > 0 && events.every(({ instances }) => instances.length > 0));
      }
    }

    const marker = `conformance-${Date.now()}`;
    const received = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing was received in time")), 10_000);
      subscription.on("publication", ({ data }) => {
        // Other messages of a live calendar may arrive before it.
        if (data.marker === marker) {
          clearTimeout(timer);
          resolve(data);
        }
      });
    });
    const position = await publish(channel, { v: 2, type: "conformance.marker", marker });
    assert.equal(position.epoch, state.epoch);
    assert.equal((await received).type, "conformance.marker");
  });

  test("a held state is not sent again", async () => {
    const api = apiOf(jwt);
    // Messages of a live calendar may arrive in between.
    for (let attempt = 1; ; attempt += 1) {
      const { streamEpoch, seq, window } = await api.realtime.getState.query({ live: false });
      const next = await api.realtime.getState.query({ live: false, held: { streamEpoch, seq, window } });
      if (next.seq !== seq && attempt < 5) continue;
      assert.equal(next.snapshot, null);
      assert.deepEqual(next.messages, []);
      const other = await api.realtime.getState.query({ live: false, held: { streamEpoch: crypto.randomUUID(), seq, window } });
      assert.ok(other.snapshot);
      break;
    }
  });

  test("another user's channel is refused by the API", async () => {
    const { api, socket } = connect(otherJwt);
    const subscription = socket.newSubscription(channel, {
      getToken: async ({ channel }) => {
        try {
          return (await api.realtime.getSubscriptionToken.query({ channel })).token;
        } catch (error) {
          assert.equal(error.data.code, "FORBIDDEN");
          throw new UnauthorizedError("not yours");
        }
      },
    });
    const ended = next(subscription, "unsubscribed");
    subscription.subscribe();
    assert.equal((await ended).code, 1);
  });

  test("Centrifugo refuses another user's channel without a token", async () => {
    const { socket } = connect(otherJwt);
    const subscription = socket.newSubscription(channel);
    const ended = next(subscription, "unsubscribed");
    subscription.subscribe();
    assert.equal((await ended).code, 103);
  });

  test("a token for one's own channel opens no other", async () => {
    const { api, socket } = connect(otherJwt);
    const own = `calendar:${userOf(otherJwt)}`;
    const { token } = await api.realtime.getSubscriptionToken.query({ channel: own });
    const subscription = socket.newSubscription(channel, { token });
    const closed = next(socket, "disconnected");
    subscription.subscribe();
    assert.equal((await closed).code, 3500);
  });

  test("the host application's token opens no socket", async () => {
    const socket = new Centrifuge(wsUrl, { websocket: WebSocket, getToken: async () => jwt });
    sockets.push(socket);
    const closed = next(socket, "disconnected");
    socket.connect();
    assert.equal((await closed).code, 3500);
  });
});
