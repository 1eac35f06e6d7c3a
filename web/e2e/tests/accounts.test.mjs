// A user's Google accounts and calendars: adding, disconnecting, choosing, and the user's own data.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import {
  accountIn,
  calwire,
  consent,
  control,
  eventIn,
  google,
  isLive,
  morning,
  openPage,
  parts,
  screenshot,
  show,
  timed,
  until,
} from '../harness.mjs';

const TEAM = 'team@group.calendar.google.com';

/** @param {string} user */
const withTeam = (user) => ({
  calendars: [
    { id: google.accountOf(user), summary: 'Personal', timeZone: 'Europe/Zurich', primary: true },
    { id: `${user}-${TEAM}`, summary: 'Team', timeZone: 'Europe/Zurich', backgroundColor: '#f83a22' },
  ],
});

test('a second account is connected, and disconnected with a receipt', async (t) => {
  const person = await calwire.newUser('duo');
  await person.insert(timed('At home'));
  await control.addUser('duo-work');
  const colleague = google.as('duo-work');
  await colleague.insert(timed('At work', { inMinutes: 120 }));

  const { page, newTab } = await openPage(t, { user: 'duo', timeZone: morning(), path: '/#accounts' });
  const { accounts, agenda, details } = parts(page);
  await accountIn(page, 'duo@example.com').getByText('Up to date').waitFor();
  await accounts.getByRole('button', { name: 'Add another account' }).click();
  await consent(page, 'duo-work');
  await accountIn(page, 'duo-work@example.com')
    .getByRole('checkbox', { name: /duo-work/ })
    .waitFor();
  assert.equal(await accounts.getByRole('region').filter({ hasText: '@example.com' }).count(), 2);
  await show(page, 'Overview');
  for (const title of ['At home', 'At work']) await eventIn(agenda, title).waitFor();
  const other = await newTab('');
  await isLive(other);
  await eventIn(parts(other).agenda, 'At work').waitFor();
  await noteFreshness(other);

  await show(page, 'Accounts');
  await accountIn(page, 'duo-work@example.com').getByRole('button', { name: 'Disconnect' }).click();
  await details.getByText('Nothing is read from this account any more').waitFor();
  await details.getByText('In Google itself nothing changes').waitFor();
  await screenshot(page, 'disconnect two accounts');
  await details.getByRole('button', { name: 'Disconnect' }).click();
  const receipt = accounts.getByRole('status');
  await receipt.getByText('duo-work@example.com is disconnected').waitFor();
  await receipt.getByText('Google has confirmed that the access is revoked.').waitFor();
  await receipt.getByText(/1 calendar with 1 event deleted here/).waitFor();
  await screenshot(page, 'disconnected receipt');
  await accountIn(page, 'duo-work@example.com').waitFor({ state: 'detached' });
  await accountIn(page, 'duo@example.com').getByText('Up to date').waitFor();

  await eventIn(parts(other).agenda, 'At work').waitFor({ state: 'detached' });
  await eventIn(parts(other).agenda, 'At home').waitFor();
  assert.deepEqual(await notedFreshness(other), [], 'the other account was never paused');
  await accounts.getByRole('button', { name: 'Close' }).click();
  await receipt.getByText('is disconnected').waitFor({ state: 'detached' });
});

test('disconnecting the last account shows in every widget', async (t) => {
  const person = await calwire.newUser('quitter');
  await person.insert(timed('Not for long'));
  const { page, newTab } = await openPage(t, { user: 'quitter', timeZone: morning() });
  const { accounts, details } = parts(page);
  await isLive(page);
  await eventIn(parts(page).agenda, 'Not for long').waitFor();
  const other = await newTab('');
  await isLive(other);
  await noteFreshness(other);
  await show(page, 'Accounts');
  await accounts.getByRole('button', { name: 'Disconnect quitter@example.com' }).click();
  await details.getByRole('button', { name: 'Disconnect' }).click();
  await accounts.getByText('quitter@example.com is disconnected').waitFor();
  await accounts.getByText('No Google account is connected').waitFor();
  await show(page, 'Overview');
  await page.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();
  assert.equal(await page.getByText('Not for long').count(), 0);
  await other.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();
  assert.deepEqual(await notedFreshness(other), []);
});

/**
 * Records each "Paused" that appears on the page from now on.
 *
 * @param {import('playwright-core').Page} page
 */
const noteFreshness = (page) =>
  page.evaluate(() => {
    /** @type {string[]} */
    const noted = [];
    Object.assign(window, { noted });
    new MutationObserver(() => {
      for (const line of document.querySelectorAll('.calwire-freshness')) {
        if (line.textContent.includes('Paused')) noted.push(line.closest('section')?.ariaLabel ?? '');
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });

/** @param {import('playwright-core').Page} page */
const notedFreshness = (page) => page.evaluate(() => /** @type {any} */ (window).noted);

test('an account with an ended grant offers to reconnect', async (t) => {
  const person = await calwire.newUser('expired');
  const { page } = await openPage(t, { user: 'expired', timeZone: morning(), path: '/#accounts' });
  const account = accountIn(page, 'expired@example.com');
  await isLive(page);
  await account.getByText('Up to date').waitFor();
  await person.revoke();
  await calwire.as('expired').mutate('calendar.google.syncNow');
  await account.getByText('Sign in again').waitFor();
  await account.getByText('Google has ended the connection.').waitFor();
  await account.getByText(/^Paused/).waitFor();
  await screenshot(page, 'account to reconnect');
  await account.getByRole('button', { name: 'Reconnect' }).click();
  await consent(page, 'expired');
  await account.getByText('Up to date').waitFor();
  assert.equal(await account.getByRole('button', { name: 'Reconnect' }).count(), 0);
});

test('choosing a calendar in one tab shows in the other', async (t) => {
  const person = await calwire.newUser('chooser', withTeam('chooser'));
  await person.insert(timed('Team lunch'), `chooser-${TEAM}`);
  await control.settled('chooser');
  const { page, newTab } = await openPage(t, { user: 'chooser', timeZone: morning(), path: '/#accounts' });
  const team = parts(page).accounts.getByRole('checkbox', { name: /Team/ });
  const other = await newTab('');
  await isLive(other);
  await eventIn(parts(other).agenda, 'Team lunch').waitFor();
  await parts(page).accounts.getByText('2 of 2 shown').waitFor();

  await team.uncheck();
  await parts(page).accounts.getByText('1 of 2 shown').waitFor();
  await eventIn(parts(other).agenda, 'Team lunch').waitFor({ state: 'detached' });
  await until(
    () => parts(other).calendars.getByRole('checkbox', { name: /Team/ }).isChecked(),
    (checked) => !checked,
    'the other tab shows the choice',
  );
  await team.check();
  await eventIn(parts(other).agenda, 'Team lunch').waitFor();
});

test('a refused choice is reverted, with the reason', async (t) => {
  await calwire.newUser('refused', withTeam('refused'));
  const { page, context } = await openPage(t, {
    user: 'refused',
    timeZone: morning(),
    path: '/#accounts',
    expected: [/Failed to load resource/],
  });
  const { accounts } = parts(page);
  const team = accounts.getByRole('checkbox', { name: /Team/ });
  await team.waitFor();
  /** @type {(value?: undefined) => void} */
  let refuse = () => undefined;
  const held = new Promise((resolve) => (refuse = resolve));
  await context.route('**/trpc/calendar.google.selectCalendars*', async (route) => {
    await held;
    await route.abort();
  });
  await team.uncheck();
  await accounts.getByText('1 of 2 shown').waitFor();
  refuse();
  await accounts.getByRole('alert').getByText('Not changed. The calendar service cannot be reached').waitFor();
  assert.equal(await team.isChecked(), true);
  await accounts.getByText('2 of 2 shown').waitFor();
});

test('the export holds everything stored of the user', async (t) => {
  const person = await calwire.newUser('exporter');
  for (let n = 0; n < 3; n += 1) await person.insert(timed(`Kept ${n}`, { inMinutes: 60 * n }));
  await control.settled('exporter');
  const { page } = await openPage(t, { user: 'exporter', timeZone: morning(), path: '/#accounts' });
  const { accounts } = parts(page);
  const downloading = page.waitForEvent('download');
  await accounts.getByRole('button', { name: 'Export my data' }).click();
  const download = await downloading;
  assert.match(download.suggestedFilename(), /^calendar-data-\d{4}-\d{2}-\d{2}\.json$/);
  const data = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.equal(data.userId, 'exporter');
  const titles = data.events.map((/** @type {any} */ { event }) => event.summary).sort();
  assert.deepEqual(titles, ['Kept 0', 'Kept 1', 'Kept 2']);
  assert.doesNotMatch(JSON.stringify(data), /refresh_token|access_token/);
  await accounts.getByText('is downloaded.').waitFor();
});

test('deleting my data needs a typed word and removes everything', async (t) => {
  const person = await calwire.newUser('forgotten');
  await person.insert(timed('To be forgotten'));
  await control.settled('forgotten');
  const { page, newTab } = await openPage(t, { user: 'forgotten', timeZone: morning(), path: '/#accounts' });
  const { accounts, details } = parts(page);
  const other = await newTab('');
  await isLive(other);
  await eventIn(parts(other).agenda, 'To be forgotten').waitFor();

  await accounts.getByRole('button', { name: 'Delete my data' }).click();
  const forGood = details.getByRole('button', { name: 'Delete for good' });
  assert.equal(await forGood.isEnabled(), false);
  await details.getByLabel('Type “delete” to continue').fill('delete');
  await forGood.click();
  await accounts.getByText('Your data is deleted').waitFor();
  await accounts.getByText('Nothing is stored about you here any more.').waitFor();
  await accounts.getByText('No Google account is connected').waitFor();
  await screenshot(page, 'deleted receipt');
  await other.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();
  assert.equal(await other.getByText('To be forgotten').count(), 0);
  const { connected } = await calwire.as('forgotten').query('calendar.google.status');
  assert.equal(connected, false);
  const kept = await calwire.as('forgotten').query('calendar.google.exportData');
  assert.deepEqual([kept.connections, kept.calendars, kept.events], [[], [], []]);
});
