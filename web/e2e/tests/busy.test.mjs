// Busy times of other calendars, behind the events of a week.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  allDay,
  calwire,
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
  violations,
} from '../harness.mjs';

const ZONE = morning();

/** @param {import('playwright-core').Page} page */
const legend = (page) => page.getByRole('list', { name: 'Busy times' });
/**
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
const blocks = (page, name) => page.locator('.calwire-busy-lane', { hasText: `Busy, ${name}` });

/** @param {string} user */
const calendarsOf = (user) => [
  { id: google.accountOf(user), summary: 'Personal', timeZone: 'Europe/Zurich', primary: true },
  {
    id: `${user}-team@group.calendar.google.com`,
    summary: 'Team',
    timeZone: 'Europe/Zurich',
    backgroundColor: '#0b8043',
  },
  {
    id: `${user}-dana@example.com`,
    summary: 'Dana',
    timeZone: 'Europe/Zurich',
    accessRole: 'freeBusyReader',
    backgroundColor: '#d50000',
    events: [
      { id: 'danaone', ...timed('Secret talk', { inMinutes: 30, minutes: 60 }) },
      { id: 'danatwo', ...timed('Secret talk, second part', { inMinutes: 90, minutes: 30 }) },
      { id: 'danafree', ...timed('Shown as free', { inMinutes: 180, minutes: 60 }), transparency: 'transparent' },
    ],
  },
];

for (const [device, options] of /** @type {const} */ ([
  ['desk', { colorScheme: 'light' }],
  ['desk', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', touch: true }],
])) {
  const name = `${device}-${options.colorScheme}`;
  test(`busy times are behind the week, on a ${device}, ${options.colorScheme}`, async (t) => {
    const user = `busy-${name}`;
    const person = await calwire.newUser(user, { calendars: calendarsOf(user) });
    const team = `${user}-team@group.calendar.google.com`;
    await person.insert(timed('My own meeting', { inMinutes: 45, minutes: 45 }));
    await person.insert(timed('Team meeting', { inMinutes: 60, minutes: 90 }), team);
    await control.settled(user);
    const { page, newTab } = await openPage(t, { user, timeZone: ZONE, ...options, path: '/#week' });
    const { grid, details } = parts(page);
    await isLive(page);
    await eventIn(grid, /My own meeting/).waitFor();
    await eventIn(grid, /Team meeting/).waitFor();

    // Only Dana's times are known: two adjoining talks are one block, and an event shown as free is none.
    await legend(page).getByText('Dana').waitFor();
    await blocks(page, 'Dana').waitFor();
    assert.equal(await blocks(page, 'Dana').count(), 1);
    assert.equal(await page.getByText('Secret').count(), 0);
    assert.equal(await eventIn(grid, /^(Busy|\(No title\))/).count(), 0);

    await grid.getByRole('button', { name: 'Calendars' }).click();
    await details.getByRole('button', { name: 'Busy only: Team' }).click();
    await screenshot(page, `busy picker ${name}`);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await legend(page).getByText('Team').waitFor();
    await eventIn(grid, /Team meeting/).waitFor({ state: 'detached' });
    await blocks(page, 'Team').first().waitFor();
    await screenshot(page, `busy week ${name}`);
    assert.deepEqual(await violations(page), []);

    // The choice applies in other tabs and after a reload, and the blocks follow changes.
    const other = await newTab('#week');
    await legend(other).getByText('Team').waitFor();
    const heights = () => blocks(page, 'Team').evaluateAll((all) => all.map(({ clientHeight }) => clientHeight));
    const [meeting = 0, ...none] = await heights();
    assert.deepEqual(none, []);
    await person.insert({ ...allDay('Team day'), transparency: 'opaque' }, team);
    await until(
      heights,
      (seen) => seen.length === 1 && Math.abs((seen[0] ?? 0) / meeting - 24 / 1.5) < 0.5,
      'one block fills the whole day, and includes the meeting',
    );
    await page.reload();
    await legend(page).getByText('Team').waitFor();
    await show(page, 'Month');
    await eventIn(grid, /Team/).first().waitFor();
  });
}

test('on the narrowest phone no view overflows the screen', async (t) => {
  await calwire.newUser('narrow', { calendars: calendarsOf('narrow') });
  const { page } = await openPage(t, { user: 'narrow', timeZone: ZONE, viewport: { width: 320, height: 640 } });
  await isLive(page);
  for (const view of /** @type {const} */ (['Overview', 'Week', 'Month', 'Accounts', 'Inspector'])) {
    await show(page, view);
    await screenshot(page, `narrow ${view}`);
    const wide = await page.evaluate(() =>
      [...document.querySelectorAll('body, body *')]
        .filter((element) => !element.closest('.calwire-view-grid, .calwire-hidden, .visually-hidden, .skip'))
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => `${element.className}: ${Math.round(element.getBoundingClientRect().right)}`),
    );
    assert.deepEqual(wide, [], view);
  }
});
