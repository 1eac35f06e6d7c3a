// The page opens, and the helpers that other tests rely on work.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { control, google, openPage, screenshot, stack, timed, until } from '../../harness.mjs';

test('the page opens without a complaint', async (t) => {
  const { page } = await openPage(t, { user: 'alice' });
  assert.match(await page.title(), /Calwire/);
  await screenshot(page, 'page');
});

test('a page has its zone, language and colours', async (t) => {
  const { page } = await openPage(t, { timeZone: 'Pacific/Auckland', locale: 'de-CH', colorScheme: 'dark' });
  const seen = await page.evaluate(() => ({
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    language: navigator.language,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
  }));
  assert.deepEqual(seen, { timeZone: 'Pacific/Auckland', language: 'de-CH', dark: true });
});

test('browser, stack and tests have the same time', async (t) => {
  const { page } = await openPage(t);
  const inBrowser = await page.evaluate(() => Date.now());
  const inStack = Date.parse((await fetch(stack.apiUrl)).headers.get('date') ?? '');
  for (const time of [inBrowser, inStack]) {
    assert.ok(Math.abs(time - Date.now()) < 5_000, `${new Date(time).toISOString()} is now`);
  }
});

test('complaints, requests and sockets are recorded', async (t) => {
  const { page, complaints, traffic } = await openPage(t);
  const since = traffic.mark();
  await page.evaluate(
    async (wsUrl) => {
      console.error('an error of this test');
      await fetch('/demo/session?of=this-test');
      const socket = new WebSocket(wsUrl);
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
    },
    stack.webUrl.replace('http', 'ws') + '/connection/websocket',
  );
  assert.deepEqual(
    since.requests(/this-test/).map(({ method, path }) => [method, path]),
    [['GET', '/demo/session?of=this-test']],
  );
  assert.equal(since.sockets().length, 1);
  assert.match(complaints.join(), /an error of this test/);
  complaints.length = 0;
});

test('the page runs no inline script', async (t) => {
  const { page } = await openPage(t, { expected: [/Content Security Policy/] });
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.intruder = true';
    document.body.append(script);
    return 'intruder' in window;
  });
  assert.equal(ran, false);
});

test('a new connected user receives a change in Google', async () => {
  await control.addUser('smoke');
  assert.match(await control.connect('smoke'), /calwire=connected/);
  await control.settled('smoke');
  const person = google.as('smoke');
  const event = await person.insert(timed('Made by the smoke test'));
  await person.move(event.id, 30);
  await control.settled('smoke');
  // Google's push may still be under way.
  const titles = async () =>
    (await ask('smoke', 'calendar.google.getUpcomingEvents')).events.map(
      (/** @type {{ title: string }} */ { title }) => title,
    );
  await until(titles, (seen) => seen.join() === 'Made by the smoke test', 'the change is served');
});

test('every part can be killed and started again', async () => {
  await control.network.cut();
  await assert.rejects(fetch(stack.webUrl));
  await control.network.mend();
  assert.ok((await fetch(stack.webUrl)).ok);

  await control.api.kill();
  await assert.rejects(ask('alice', 'realtime.getConnectionToken'), /502/);
  await control.api.start({ TUNING: 'realtime_token_seconds=10' });
  assert.equal((await ask('alice', 'realtime.getConnectionToken')).expiresIn, 10);
  await control.api.kill();
  await control.api.start();

  for (const part of [control.broker, control.ingest, control.renewer]) {
    await part.kill();
    await part.start();
  }
  await control.database.stop();
  await assert.rejects(ask('alice', 'calendar.google.status'), /50\d/);
  await control.database.start();
  // The pool may hand out, once, a connection from before the restart.
  const status = await until(
    () => ask('alice', 'calendar.google.status').catch(() => null),
    (answer) => answer !== null,
    'calendar-api has its database again',
  );
  assert.equal(status.connected, false);
});

/**
 * A query of the API as the page sends it.
 *
 * @param {string} user
 * @param {string} procedure
 * @returns {Promise<any>}
 */
async function ask(user, procedure) {
  const headers = { authorization: `Bearer ${await control.token(user, 60)}` };
  const response = await fetch(`${stack.webUrl}/trpc/${procedure}`, { headers });
  if (!response.ok) throw new Error(`${procedure}: ${response.status} ${await response.text()}`);
  return (await response.json()).result.data;
}
