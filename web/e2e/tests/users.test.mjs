// The user of a browser sees their own calendar from the first paint on, and nothing of the user before.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  calwire,
  control,
  eventIn,
  isLive,
  keptUsers,
  morning,
  openPage,
  parts,
  show,
  timed,
  until,
} from '../harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/**
 * Watches for a text in the document from now on, however briefly it appears.
 *
 * @param {Page} page
 * @param {string} text
 * @returns {Promise<() => Promise<boolean>>} whether it was there
 */
async function lookOutFor(page, text) {
  await page.evaluate((text) => {
    const seen = () => document.documentElement.textContent.includes(text);
    const look = () => {
      if (seen()) document.documentElement.dataset['seen'] = 'yes';
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  }, text);
  return () => page.evaluate(() => document.documentElement.dataset['seen'] === 'yes');
}

test('a switch to another user shows nothing of the first', async (t) => {
  const [first, second] = [await calwire.newUser('first'), await calwire.newUser('second')];
  await first.insert(timed('Secret of the first'));
  await second.insert(timed('Of the second'));
  const { page, traffic } = await openPage(t, { user: 'first', timeZone: morning() });
  const { agenda } = parts(page);
  await isLive(page);
  await eventIn(agenda, 'Secret of the first').waitFor();
  await until(
    () => keptUsers(page),
    (users) => users.join() === 'first',
    'the events are stored',
  );

  await page.getByRole('button', { name: 'Signed in as First' }).click();
  await page.getByRole('link', { name: 'Second', exact: true }).click();
  await agenda.getByText('Secret of the first').waitFor({ state: 'detached' });
  const wasSeen = await lookOutFor(page, 'Secret of the first');
  await isLive(page);
  await eventIn(agenda, 'Of the second').waitFor();
  await until(
    () => keptUsers(page),
    (users) => users.join() === 'second',
    'nothing of the first user is stored',
  );

  // Later changes of the first user do not reach this page.
  await first.insert(timed('Another Secret of the first'));
  await control.settled('first');
  await second.insert(timed('Heard of'));
  await eventIn(agenda, 'Heard of').waitFor();
  for (const view of /** @type {const} */ (['Week', 'Month', 'Inspector', 'Overview'])) await show(page, view);
  assert.equal(await wasSeen(), false);
  assert.equal(traffic.openSockets().length, 1);
});

test('another user in the address sees nothing of the first', async (t) => {
  const [before, after] = [await calwire.newUser('before'), await calwire.newUser('after')];
  await before.insert(timed('Secret of before'));
  await after.insert(timed('Of after'));
  const { page } = await openPage(t, { user: 'before', timeZone: morning() });
  await isLive(page);
  await eventIn(parts(page).agenda, 'Secret of before').waitFor();
  await page.addInitScript(() => {
    new MutationObserver(() => {
      if (document.documentElement.textContent.includes('Secret of before')) console.error('seen');
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto('/?user=after');
  await isLive(page);
  await eventIn(parts(page).agenda, 'Of after').waitFor();
  await until(
    () => keptUsers(page),
    (users) => users.join() === 'after',
    'nothing of the other user is stored',
  );
});

test('signing out ends requests and sockets, and clears the browser', async (t) => {
  const person = await calwire.newUser('leaver');
  await person.insert(timed('Private'));
  const { page, traffic } = await openPage(t, { user: 'leaver', timeZone: morning() });
  await isLive(page);
  await eventIn(parts(page).agenda, 'Private').waitFor();
  await until(
    () => keptUsers(page),
    (users) => users.length === 1,
    'the events are stored',
  );

  await page.getByRole('button', { name: 'Signed in as Leaver' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Google Calendar, live in the browser.' }).waitFor();
  await until(
    () => traffic.openSockets().length,
    (open) => open === 0,
    'the socket is closed',
  );
  assert.deepEqual(await keptUsers(page), []);
  const since = traffic.mark();
  await person.insert(timed('Not for this page'));
  await control.settled('leaver');
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.getByRole('link', { name: 'Alice' }).waitFor();
  assert.deepEqual(since.requests(), []);
  assert.deepEqual(since.sockets(), []);
});

test('a reload paints the stored events before any answer', async (t) => {
  const person = await calwire.newUser('returner');
  await person.insert(timed('From the last visit'));
  const { page, context } = await openPage(t, {
    user: 'returner',
    timeZone: morning(),
    expected: [/Failed to load resource/],
  });
  const { agenda, next } = parts(page);
  await isLive(page);
  await eventIn(agenda, 'From the last visit').waitFor();
  await until(
    () => keptUsers(page),
    (users) => users.length === 1,
    'the events are stored',
  );

  // Requests get no answer until the page has been checked.
  /** @type {(value?: undefined) => void} */
  let answer = () => undefined;
  const looked = new Promise((resolve) => (answer = resolve));
  await context.route('**/trpc/**', async (route) => {
    await looked;
    await route.continue();
  });
  await page.reload();
  await eventIn(agenda, 'From the last visit').waitFor();
  await next.getByRole('heading', { name: 'From the last visit' }).waitFor();
  await agenda.getByText(/as of/).waitFor();
  assert.notEqual(await parts(page).live.getAttribute('data-live'), 'live');
  await show(page, 'Week');
  await eventIn(parts(page).grid, 'From the last visit').waitFor();

  await person.insert(timed('Made during the reload', { inMinutes: 90 }));
  answer();
  await isLive(page);
  await eventIn(parts(page).grid, 'Made during the reload').waitFor();
});
