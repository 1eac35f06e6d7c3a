// The real @orpc/client 1.x, at both mounts, with the calls of the system that Calwire replaces.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createORPCClient, ORPCError } from "@orpc/client";
import { RPCLink } from "@orpc/client/fetch";
import { BatchLinkPlugin } from "@orpc/client/plugins";
import { apiUrl, bearer, jwt, otherJwt, recorder, userOf } from "./stack.mjs";

const client = (mount, token = jwt, options = {}) => {
  const { seen, fetcher } = recorder();
  const link = new RPCLink({ url: `${apiUrl}${mount}`, headers: token ? bearer(token) : {}, fetch: fetcher, ...options });
  return { api: createORPCClient(link), seen };
};

const failed = async (promise) => {
  const error = await promise.then((data) => assert.fail(`answered ${JSON.stringify(data)}`), (error) => error);
  assert.ok(error instanceof ORPCError, String(error));
  return error;
};

for (const mount of ["/rpc", "/rpc-v1"]) {
  describe(`@orpc/client at ${mount}`, () => {
    test("calls with input and without", async () => {
      const { api } = client(mount);
      const upcoming = await api.calendar.google.getUpcomingEvents({ days: 7, maxResults: 5 });
      assert.equal(upcoming.connected, true);
      assert.ok(upcoming.events.length <= 5);
      const token = await api.realtime.getConnectionToken();
      assert.equal(typeof token.token, "string");
      assert.equal(typeof token.expiresIn, "number");
      assert.equal((await api.calendar.google.syncNow()).success, true);
    });

    test("a Date in an input is a time", async () => {
      const { api } = client(mount);
      const from = new Date();
      const to = new Date(from.getTime() + 30 * 86_400_000);
      const answer = await api.calendar.google.getEvents({ from, to, timeZone: undefined });
      assert.equal(answer.connected, true);
    });

    test("a query works by GET, a mutation does not", async () => {
      const { api, seen } = client(mount, jwt, { method: "GET" });
      assert.equal((await api.calendar.google.getUpcomingEvents({ days: 1 })).connected, true);
      assert.equal(seen[0].method, "GET");
      const error = await failed(api.calendar.google.syncNow());
      assert.deepEqual([error.code, error.status], ["METHOD_NOT_SUPPORTED", 405]);
    });

    test("errors are ORPCErrors with code, status and data", async () => {
      const { api } = client(mount);
      const invalid = await failed(api.calendar.google.getUpcomingEvents({ days: 400 }));
      assert.deepEqual([invalid.code, invalid.status, invalid.defined], ["BAD_REQUEST", 400, false]);
      assert.equal(invalid.data.issues[0].path, "days");
      const unknown = await failed(api.calendar.google.nope());
      assert.deepEqual([unknown.code, unknown.status], ["NOT_FOUND", 404]);
      const nobody = await failed(client(mount, null).api.calendar.google.status());
      assert.deepEqual([nobody.code, nobody.status, nobody.message], ["UNAUTHORIZED", 401, "Unauthorized"]);
      const stranger = client(mount, otherJwt).api;
      const forbidden = await failed(stranger.realtime.getSubscriptionToken({ channel: `calendar:${userOf(jwt)}` }));
      assert.deepEqual([forbidden.code, forbidden.status, forbidden.data.reason], ["FORBIDDEN", 403, "NOT_YOUR_CHANNEL"]);
    });

    for (const mode of ["streaming", "buffered"]) {
      test(`calls of one tick in one request (batch plugin, ${mode})`, async () => {
        const plugins = [new BatchLinkPlugin({ mode, groups: [{ condition: () => true, context: {} }] })];
        const { api, seen } = client(mount, jwt, { plugins });
        const [status, refused, list] = await Promise.allSettled([
          api.calendar.google.status(),
          api.calendar.google.nope(),
          api.calendar.google.listCalendars(),
        ]);
        assert.equal(status.value.connected, true);
        assert.equal(refused.reason.code, "NOT_FOUND");
        assert.ok(list.value.calendars.length > 0);
        assert.equal(seen.length, 1);
        assert.equal(seen[0].response.status, 207);
        const anonymous = client(mount, null, { plugins }).api.calendar.google;
        for (const call of await Promise.allSettled([anonymous.status(), anonymous.listCalendars()])) {
          assert.deepEqual([call.reason.code, call.reason.status], ["UNAUTHORIZED", 401]);
        }
      });
    }
  });
}
