// The emulator's copy of Google's consent page.

import { google } from './google.mjs';
import { stack } from './stack.mjs';

/**
 * Chooses the account, ticks the calendar or not, and submits.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} user whose Google account it is
 * @param {{ calendar?: boolean, decision?: 'Continue' | 'Cancel' }} [choice]
 */
export async function consent(page, user, { calendar = true, decision = 'Continue' } = {}) {
  await page.waitForURL(`${stack.emulatorUrl}/**`);
  await page.getByRole('radio', { name: google.accountOf(user) }).check();
  for (const box of await page.getByRole('checkbox').all()) await box.setChecked(calendar);
  await page.getByRole('button', { name: decision }).click();
  await page.waitForURL(`${stack.webUrl}/**`);
}
