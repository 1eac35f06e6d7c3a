// Every view, checked by axe-core, and kept as pictures for people to look at.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import {
  allDay,
  calwire,
  control,
  eventIn,
  isLive,
  morning,
  openPage,
  parts,
  screenshot,
  show,
  timed,
  violations,
} from '../harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const ZONE = morning();

before(async () => {
  const person = await calwire.newUser('looks', {
    calendars: [
      {
        id: 'looks@example.com',
        summary: 'Personal',
        timeZone: 'Europe/Zurich',
        primary: true,
        backgroundColor: '#9fe1e7',
      },
      { id: 'team@group.calendar.google.com', summary: 'Team', timeZone: 'Europe/Zurich', backgroundColor: '#f83a22' },
      { id: 'home@group.calendar.google.com', summary: 'Home', timeZone: 'Europe/Zurich', backgroundColor: '#fad165' },
    ],
  });
  const team = 'team@group.calendar.google.com';
  const home = 'home@group.calendar.google.com';
  const guests = ['ann', 'ben', 'cem', 'dia', 'eva', 'fay', 'gus', 'hal'].map((name, n) => ({
    email: `${name}@example.com`,
    displayName: `${name[0]?.toUpperCase()}${name.slice(1)}`,
    responseStatus: ['accepted', 'declined', 'tentative', 'needsAction'][n % 4],
  }));
  await person.insert({
    ...timed('Design review', { inMinutes: 12, minutes: 45 }),
    location: 'Room 4, Bahnhofstrasse 1, Zürich',
    description: 'What we ship next week.\n\n<b>Bring</b> the drafts: https://example.com/drafts',
    conferenceData: { createRequest: { requestId: 'review', conferenceSolutionKey: { type: 'hangoutsMeet' } } },
    attendees: guests,
  });
  await person.insert(timed('Lunch', { inMinutes: 90 }), home);
  await person.insert(timed('Planning', { inMinutes: 80, minutes: 90 }), team);
  await person.insert(
    { ...timed('Standup', { inMinutes: -30, minutes: 60 }), recurrence: ['RRULE:FREQ=DAILY;COUNT=5'] },
    team,
  );
  await person.insert({ ...timed('A tentative call', { inMinutes: 300 }), status: 'tentative' });
  await person.insert(
    timed('A rather long title that has to find its place somewhere in a narrow column', { inMinutes: 1500 }),
  );
  await person.insert(allDay('Holiday in the mountains', { inDays: 1, days: 3 }), home);
  await person.insert(allDay('Birthday of Eva', { inDays: 2 }));
  for (let n = 0; n < 6; n += 1)
    await person.insert(timed(`Interview ${n + 1}`, { inMinutes: 2880 + 45 * n, minutes: 40 }), team);
  await control.settled('looks');
});

/**
 * @param {Page} page
 * @param {string} name
 */
async function look(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await screenshot(page, name);
  return (await violations(page)).map((violation) => `${name}: ${violation}`);
}

/**
 * Events of the grid whose title is not visible at all.
 *
 * @param {Page} page
 */
const namelessChips = (page) =>
  page
    .locator('.calwire-chip-title:visible')
    .evaluateAll((titles) =>
      titles.filter((title) => title.getBoundingClientRect().width < 8).map(({ textContent }) => textContent),
    );

for (const [device, options] of /** @type {const} */ ([
  ['desk', {}],
  ['phone', { touch: true }],
])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    test(`no view has an accessibility problem on a ${device}, ${colorScheme}`, async (t) => {
      const { page } = await openPage(t, { timeZone: ZONE, colorScheme, ...options });
      const { accounts, agenda, grid, details, sync } = parts(page);
      /** @type {string[]} */
      const found = [];
      const note = async (/** @type {string} */ name) =>
        found.push(...(await look(page, `${name} ${device} ${colorScheme}`)));

      await page.getByRole('heading', { name: 'Sign in as' }).waitFor();
      await note('sign-in');
      await page.getByRole('link', { name: 'Bob' }).click();
      await page.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();
      await isLive(page);
      await note('not connected');

      await page.goto('/?user=looks');
      await isLive(page);
      await eventIn(agenda, 'Design review').waitFor();
      await note('overview');
      await sync.locator('summary').click();
      await note('sync status');
      await eventIn(agenda, 'Design review').click();
      await details.getByRole('link', { name: /Join/ }).waitFor();
      await note('event');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Signed in as Looks' }).click();
      await note('menu');
      await page.keyboard.press('Escape');

      for (const view of /** @type {const} */ (['Week', 'Month'])) {
        await show(page, view);
        await grid.locator('.calwire-chip, .calwire-dots > span').first().waitFor();
        await note(view);
        assert.deepEqual(await namelessChips(page), [], `${view}: each event shows the beginning of its title`);
      }
      await show(page, 'Week');
      await grid.getByLabel('Go to date').fill(allDay('', { inDays: 60 }).start.date);
      await grid.locator('.calwire-chip').first().waitFor({ state: 'detached' });
      await note('empty week');
      await grid.getByRole('button', { name: 'Today' }).click();
      await show(page, 'Month');
      await grid.locator('.calwire-chip, .calwire-dots > span').first().waitFor();
      await grid.getByRole('button', { name: 'Calendars' }).click();
      await details.getByRole('checkbox', { name: /Team/ }).waitFor();
      await note('calendar picker');
      await page.keyboard.press('Escape');
      if (device === 'desk') {
        // The day of the interviews, which can be in next month.
        await grid.getByLabel('Go to date').fill(allDay('', { inDays: 2 }).start.date);
        await grid
          .getByText(/^\+\d more$/)
          .filter({ visible: true })
          .last()
          .click();
        await details
          .getByText(/Interview/)
          .first()
          .waitFor();
        await note('day');
        await page.keyboard.press('Escape');
      }
      await show(page, 'Accounts');
      await accounts.getByRole('checkbox', { name: /Team/ }).waitFor();
      await note('accounts');
      await accounts.getByRole('button', { name: 'Disconnect looks@example.com' }).click();
      await details.waitFor();
      await note('disconnect');
      await details.getByRole('button', { name: 'Keep it' }).click();
      await accounts.getByRole('button', { name: 'Delete my data' }).click();
      await details.getByLabel(/Type/).fill('delete');
      await note('delete data');
      await details.getByRole('button', { name: 'Keep my data' }).click();
      await show(page, 'Inspector');
      await page.getByRole('heading', { name: 'Team' }).waitFor();
      await page.locator('.round').first().waitFor();
      await note('inspector');
      assert.deepEqual(found, []);
    });
  }
}
