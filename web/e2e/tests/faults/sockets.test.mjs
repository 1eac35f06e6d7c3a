// One socket per user and tab, for as long as the user is signed in.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  calwire,
  control,
  eventIn,
  isLive,
  morning,
  openPage,
  parts,
  timed,
  until,
  widgetsPage,
} from '../../harness.mjs';

// FullCalendar starts its clock in `render`, so the copy that StrictMode discards may tick. React warns about it in development.
const CLOCK_OF_FULL_CALENDAR = /state update on a component that hasn't mounted yet/;

test('StrictMode with five widgets and a hook opens one socket', async (t) => {
  const person = await calwire.newUser('strict');
  const { page, traffic } = await openPage(t, {
    user: 'strict',
    path: '/widgets/',
    timeZone: morning(),
    before: widgetsPage,
    expected: [CLOCK_OF_FULL_CALENDAR],
  });
  const { next, agenda } = parts(page);
  const isOpen = () =>
    page
      .getByLabel('State')
      .filter({ hasText: /^live$/ })
      .waitFor();
  await isOpen();
  assert.equal(await page.evaluate(() => document.documentElement.dataset['renders']), '2', 'StrictMode is at work');
  assert.equal(await page.locator('section.calwire').count(), 5);

  await person.insert(timed('Standup'));
  await next.getByRole('heading', { name: 'Standup' }).waitFor();
  for (const part of [agenda, page.locator('.calwire-view').nth(0), page.locator('.calwire-view').nth(1)]) {
    await eventIn(part, 'Standup').waitFor();
  }
  assert.equal(await page.getByLabel('Heard').textContent(), '1', 'each message is received once');
  assert.equal(traffic.allSockets().length, 1);

  // The provider is unmounted and mounted at once: it gets a new session, and the old session's socket closes.
  await page.getByRole('button', { name: 'Hide' }).click();
  await page.getByRole('button', { name: 'Show' }).click();
  await isOpen();
  await eventIn(agenda, 'Standup').waitFor();
  await until(
    () => traffic.openSockets().length,
    (open) => open === 1,
    'one socket is open',
  );

  await page.getByRole('button', { name: 'Hide' }).click();
  await until(
    () => traffic.openSockets().length,
    (open) => open === 0,
    'no socket is open',
  );
});

test('the socket outlives its tokens', async (t) => {
  const person = await calwire.newUser('outliver');
  await control.api.kill();
  await control.api.start({ TUNING: 'realtime_token_seconds=10' });
  t.after(async () => {
    await control.api.kill();
    await control.api.start();
  });
  const { page, traffic } = await openPage(t, { user: 'outliver', tokenSeconds: 5, timeZone: morning() });
  const { next } = parts(page);
  await isLive(page);
  const since = traffic.mark();
  await until(
    () => since.requests(/getConnectionToken/).length,
    (times) => times > 0,
    'the token is renewed',
  );
  assert.deepEqual(since.sockets(), [], 'it is the same socket');
  await person.insert(timed('After the tokens'));
  await next.getByRole('heading', { name: 'After the tokens' }).waitFor();
  assert.equal(await parts(page).live.getAttribute('data-live'), 'live');
  assert.deepEqual(since.requests(/getState/), []);
});

test('an expired token means signed out, without repeated attempts', async (t) => {
  await calwire.newUser('expired');
  await control.api.kill();
  await control.api.start({ TUNING: 'realtime_token_seconds=10' });
  t.after(async () => {
    await control.api.kill();
    await control.api.start();
  });
  let life = 20;
  const { page, traffic } = await openPage(t, {
    user: 'expired',
    expected: [/401/],
    before: (context) =>
      context.route('**/demo/token?*', async (route) =>
        route.fulfill({ json: { token: await control.token('expired', life) } }),
      ),
  });
  const { live } = parts(page);
  await isLive(page);
  life = -3600;
  await page.locator('[data-live=signedOut]').waitFor();
  await until(
    () => traffic.openSockets().length,
    (open) => open === 0,
    'the socket is closed',
  );
  const since = traffic.mark();
  // Using the page instead of waiting gives a repeated attempt its chance to happen.
  for (const view of ['Week', 'Month', 'Overview']) {
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view }).click();
    await page.getByText('You are signed out').first().waitFor();
  }
  assert.ok(since.requests(/trpc/).length <= 6, JSON.stringify(since.requests()));
  assert.deepEqual(since.sockets(), []);

  // Signed in again: the page notices when it becomes visible.
  life = 3600;
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await isLive(page);
  assert.equal(await live.textContent(), 'Connection: Live');
});
