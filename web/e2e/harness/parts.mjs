// The parts of the page, found as a person finds them.

import { calwire } from './calwire.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {'Overview' | 'Week' | 'Month' | 'Accounts' | 'Inspector'} View */

/** @param {Page} page */
export const parts = (page) => ({
  next: page.getByRole('region', { name: 'Next event' }),
  agenda: page.getByRole('region', { name: 'Agenda' }),
  sync: page.getByRole('region', { name: 'Sync status' }),
  calendars: page.getByRole('region', { name: 'Calendars' }),
  accounts: page.getByRole('region', { name: 'Google accounts' }),
  grid: page.locator('.calwire-view'),
  details: page.getByRole('dialog'),
  /** The header's word for whether the page is live. */
  live: page.locator('[data-live]'),
});

/**
 * An event's button in a list or a grid.
 *
 * @param {import('playwright-core').Locator} part
 * @param {string | RegExp} title
 */
export const eventIn = (part, title) => part.getByRole('button', { name: title });

/**
 * An account's part of the accounts view.
 *
 * @param {Page} page
 * @param {string} email
 */
export const accountIn = (page, email) => parts(page).accounts.getByRole('region', { name: email });

/**
 * Goes to a view by its tab, and waits until it shows its calendar.
 *
 * @param {Page} page
 * @param {View} view
 */
export async function show(page, view) {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view }).click();
  await shown(page, view);
}

/**
 * @param {Page} page
 * @param {View} view
 */
export async function shown(page, view) {
  await page.locator(`main[data-view=${view.toLowerCase()}]`).waitFor();
  if (view === 'Week' || view === 'Month') {
    await page.locator('.calwire-fc').waitFor();
    await page.locator('.calwire-view-grid[data-loading=false]').waitFor();
  }
}

/**
 * Waits until the page receives changes.
 *
 * @param {Page} page
 */
export const isLive = (page) => page.locator('[data-live=live]').waitFor();

/**
 * Looks again until `isRight`; the error quotes what was seen last.
 *
 * @template T
 * @param {() => T | Promise<T>} look
 * @param {(seen: T) => boolean} isRight
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function until(look, isRight, what) {
  const patience = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (isRight(seen)) return seen;
    if (Date.now() > patience) throw new Error(`${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/**
 * The titles in the agenda, in their order.
 *
 * @param {Page} page
 */
export const agendaTitles = (page) => parts(page).agenda.locator('.calwire-event-title').allTextContents();

/**
 * Waits until the page's agenda shows what calendar-api answers; returns the titles.
 *
 * @param {Page} page
 * @param {string} user
 */
export async function equalToServer(page, user) {
  const timeZone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  const input = { days: 7, maxResults: 50, timeZone };
  const { events } = await calwire.as(user).query('calendar.google.getUpcomingEvents', input);
  const titles = events.map((/** @type {{ title: string }} */ { title }) => title);
  await until(
    () => agendaTitles(page),
    (shown) => shown.join('\n') === titles.join('\n'),
    `the page shows ${titles}`,
  );
  return titles;
}

/**
 * The users whose events are stored in the browser.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export const keptUsers = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('calwire');
        opening.onerror = () => reject(new Error('IndexedDB cannot be opened'));
        opening.onsuccess = () => {
          const keys = opening.result.transaction('snapshots').objectStore('snapshots').getAllKeys();
          keys.onsuccess = () => {
            opening.result.close();
            resolve(keys.result.map((key) => /** @type {string} */ (key).split(' ')[1] ?? ''));
          };
        };
      }),
  );
