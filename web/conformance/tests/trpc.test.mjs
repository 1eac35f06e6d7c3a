// The real @trpc/client, the current version and the first of v11, with each of its links.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as current from "@trpc/client";
import superjson from "superjson";
import * as first from "trpc-11-0";
import { apiUrl, bearer, jwt, otherJwt, recorder, userOf } from "./stack.mjs";

const url = `${apiUrl}/trpc`;
const channel = `calendar:${userOf(jwt)}`;

/** A client, and the requests that it sent. */
const client = (trpc, link, token = jwt, options = {}) => {
  const { seen, fetcher } = recorder();
  const headers = token ? bearer(token) : {};
  const links = [trpc[link]({ url, headers, fetch: fetcher, ...options })];
  return { api: trpc.createTRPCClient({ links }), seen };
};

/** Awaits the error of a failing call. */
const failure = (trpc) => async (promise) => {
  const error = await promise.then((data) => assert.fail(`answered ${JSON.stringify(data)}`), (error) => error);
  assert.ok(error instanceof trpc.TRPCClientError, String(error));
  return error;
};

for (const [version, trpc] of [["11.25", current], ["11.0", first]]) {
  const failed = failure(trpc);
  for (const link of ["httpLink", "httpBatchLink", "httpBatchStreamLink"]) {
    describe(`@trpc/client ${version}, ${link}`, () => {
      test("a query with input and one without", async () => {
        const { api } = client(trpc, link);
        const upcoming = await api.calendar.google.getUpcomingEvents.query({ days: 7, maxResults: 20 });
        assert.equal(upcoming.connected, true);
        assert.equal(upcoming.hasCalendarAccess, true);
        assert.ok(Array.isArray(upcoming.events) && upcoming.events.length <= 20);
        for (const event of upcoming.events) {
          for (const field of ["id", "title", "start", "end"]) assert.equal(typeof event[field], "string", field);
          for (const field of ["description", "location", "htmlLink"]) {
            assert.ok(event[field] === null || typeof event[field] === "string", field);
          }
        }
        const status = await api.calendar.google.status.query();
        assert.equal(status.connected, true);
      });

      test("a mutation with input and one without", async () => {
        const { api } = client(trpc, link);
        assert.equal((await api.calendar.google.syncNow.mutate()).success, true);
        const { calendars } = await api.calendar.google.listCalendars.query();
        const answer = await api.calendar.google.syncNow.mutate({ calendarIds: [calendars[0].id] });
        assert.equal(answer.success, true);
      });

      test("calls of one tick are answered, even beside an error", async () => {
        const { api, seen } = client(trpc, link);
        const [token, status, refused, list] = await Promise.allSettled([
          api.realtime.getConnectionToken.query(),
          api.calendar.google.status.query(),
          api.calendar.google.nope.query(),
          api.calendar.google.listCalendars.query(),
        ]);
        assert.equal(typeof token.value.token, "string");
        assert.equal(typeof token.value.expiresIn, "number");
        assert.equal(status.value.connected, true);
        assert.equal(refused.reason.data.code, "NOT_FOUND");
        assert.ok(list.value.calendars.length > 0);
        assert.equal(seen.length, link === "httpLink" ? 4 : 1);
        if (link === "httpBatchLink") assert.equal(seen[0].response.status, 207);
        for (const { response } of seen) assert.match(response.headers.get("cache-control"), /^no-store\b/);
      });

      test("no token and a bad token are UNAUTHORIZED", async () => {
        for (const token of [null, "x.y.z", `${jwt}x`]) {
          const { api } = client(trpc, link, token);
          const error = await failed(api.calendar.google.status.query());
          assert.equal(error.message, "UNAUTHORIZED");
          assert.deepEqual(error.data, { code: "UNAUTHORIZED", httpStatus: 401, path: "calendar.google.status" });
          assert.equal(error.shape.code, -32001);
          const ofOneTick = [api.calendar.google.status.query(), api.calendar.google.listCalendars.query()];
          for (const call of await Promise.allSettled(ofOneTick)) {
            assert.equal(call.reason.data.code, "UNAUTHORIZED");
          }
        }
      });

      test("an unknown procedure is NOT_FOUND", async () => {
        const { api } = client(trpc, link);
        const error = await failed(api.calendar.google.nope.query());
        assert.equal(error.message, 'No procedure found on path "calendar.google.nope"');
        assert.equal(error.data.httpStatus, 404);
      });

      test("an invalid input is reported with its path", async () => {
        const { api } = client(trpc, link);
        const error = await failed(api.calendar.google.getUpcomingEvents.query({ days: 400 }));
        assert.equal(error.data.code, "BAD_REQUEST");
        assert.equal(error.data.issues[0].path, "days");
        assert.match(error.data.issues[0].message, /from 0 to 365/);
        const unknown = await failed(api.calendar.google.getUpcomingEvents.query({ userId: "someone" }));
        assert.equal(unknown.data.issues[0].path, "userId");
      });

      test("another user's channel is FORBIDDEN", async () => {
        const { api } = client(trpc, link, otherJwt);
        const error = await failed(api.realtime.getSubscriptionToken.query({ channel }));
        assert.deepEqual([error.data.code, error.data.httpStatus, error.data.reason], ["FORBIDDEN", 403, "NOT_YOUR_CHANNEL"]);
      });

      test("a mutation called as a query is METHOD_NOT_SUPPORTED", async () => {
        const { api } = client(trpc, link);
        const error = await failed(api.calendar.google.connect.query());
        assert.equal(error.data.code, "METHOD_NOT_SUPPORTED");
      });

      test("queries by POST (methodOverride)", async () => {
        const { api, seen } = client(trpc, link, jwt, { methodOverride: "POST" });
        const [upcoming, status] = await Promise.all([
          api.calendar.google.getUpcomingEvents.query({ days: 0 }),
          api.calendar.google.status.query(),
        ]);
        assert.equal(upcoming.connected && status.connected, true);
        assert.ok(seen.every(({ method }) => method === "POST"));
      });

      test("a call can be aborted", async () => {
        const { api } = client(trpc, link);
        const abort = new AbortController();
        const call = api.calendar.google.status.query(undefined, { signal: abort.signal });
        abort.abort();
        await failed(call);
      });
    });
  }

  for (const link of ["httpLink", "httpBatchLink", "httpBatchStreamLink"]) {
    describe(`@trpc/client ${version}, ${link} with superjson`, () => {
      const transformed = () => client(trpc, link, jwt, { transformer: superjson });

      test("queries and mutations, with input and without", async () => {
        const { api, seen } = transformed();
        const [upcoming, status, { calendars }] = await Promise.all([
          api.calendar.google.getUpcomingEvents.query({ days: 7, maxResults: 20 }),
          api.calendar.google.status.query(),
          api.calendar.google.listCalendars.query(),
        ]);
        assert.ok(Array.isArray(upcoming.events) && upcoming.events.length <= 20);
        assert.equal(status.connected, true);
        assert.equal(seen.length, link === "httpLink" ? 3 : 1);
        assert.equal((await api.calendar.google.syncNow.mutate()).success, true);
        const answer = await api.calendar.google.syncNow.mutate({ calendarIds: [calendars[0].id] });
        assert.equal(answer.success, true);
      });

      test("errors, also beside an answer", async () => {
        const { api } = transformed();
        const [refused, unknown, status] = await Promise.allSettled([
          api.calendar.google.getUpcomingEvents.query({ days: 400 }),
          api.calendar.google.nope.query(),
          api.calendar.google.status.query(),
        ]);
        assert.equal(refused.reason.data.code, "BAD_REQUEST");
        assert.equal(refused.reason.data.issues[0].path, "days");
        assert.equal(unknown.reason.message, 'No procedure found on path "calendar.google.nope"');
        assert.equal(status.value.connected, true);
        const anonymous = client(trpc, link, null, { transformer: superjson }).api;
        const ofOneTick = [anonymous.calendar.google.status.query(), anonymous.calendar.google.listCalendars.query()];
        for (const call of await Promise.allSettled(ofOneTick)) assert.equal(call.reason.data.code, "UNAUTHORIZED");
      });
    });
  }

  describe(`@trpc/client ${version}, large batches`, () => {
    test("twenty calls pass, twenty-one are each refused", async () => {
      const many = (api, count) =>
        Promise.allSettled(Array.from({ length: count }, () => api.calendar.google.status.query()));
      const twenty = await many(client(trpc, "httpBatchLink").api, 20);
      assert.ok(twenty.every(({ value }) => value?.connected));
      const more = await many(client(trpc, "httpBatchLink").api, 21);
      assert.ok(more.every(({ reason }) => reason?.data.code === "BAD_REQUEST"));
      const split = await many(client(trpc, "httpBatchLink", jwt, { maxItems: 10 }).api, 25);
      assert.ok(split.every(({ value }) => value?.connected));
    });

    test("a body over the limit is PAYLOAD_TOO_LARGE", async () => {
      const { api } = client(trpc, "httpLink");
      const error = await failed(api.calendar.google.connect.mutate({ returnTo: "/".padEnd(300_000, "x") }));
      assert.equal(error.data.code, "PAYLOAD_TOO_LARGE");
    });
  });
}
