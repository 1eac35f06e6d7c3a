// Without a mouse.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { calwire, control, isLive, morning, openPage, parts, shown, timed, until } from '../harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/**
 * The focused element, as a screen reader would read it.
 *
 * @param {Page} page
 */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (element === document.body) return '';
    return (element?.getAttribute('aria-label') ?? element?.textContent ?? '').replaceAll(/\s+/g, ' ').trim();
  });

/**
 * Presses Tab until the focused element has this name.
 *
 * @param {Page} page
 * @param {RegExp} name
 * @param {string} [key]
 */
async function tabTo(page, name, key = 'Tab') {
  const passed = [];
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    if (name.test(now)) {
      const visible = await page.evaluate(() => {
        const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement ?? document.body);
        return outlineStyle !== 'none' || boxShadow !== 'none';
      });
      assert.ok(visible, `the focus on ${now} is visible`);
      return;
    }
    passed.push(now);
  }
  assert.fail(`${name} cannot be reached by ${key}: ${passed.join(' | ')}`);
}

// The focus returns to where it was after each dialog.
test('the page can be used by keyboard alone', async (t) => {
  const person = await calwire.newUser('typist');
  const event = await person.insert(timed('Typed', { inMinutes: 60 }));
  await control.settled('typist');
  const { page } = await openPage(t, { user: 'typist', timeZone: morning() });
  const { details, agenda, grid } = parts(page);
  await isLive(page);
  await agenda.getByText('Typed').first().waitFor();

  await tabTo(page, /Skip to the calendar/);
  await page.keyboard.press('Enter');
  assert.equal(await focused(page), 'Overview', 'the main part has the focus');

  await tabTo(page, /10:|Typed/);
  await tabTo(page, /\d\d:\d\d.*Typed/);
  await page.keyboard.press('Enter');
  await details.getByRole('heading', { name: 'Typed' }).waitFor();
  // A modal dialog keeps the focus.
  for (let n = 0; n < 6; n += 1) {
    await page.keyboard.press('Tab');
    assert.ok(
      await page.evaluate(
        () => document.activeElement === document.body || document.activeElement?.closest('dialog') != null,
      ),
    );
  }
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert.match(await focused(page), /Typed/, 'the focus is back where it was');

  // The event changes while its details are open: they follow, and the focus still returns.
  await page.keyboard.press('Enter');
  await details.waitFor();
  await person.patch(event.id, { summary: 'Typed again' });
  await details.getByRole('heading', { name: 'Typed again' }).waitFor();
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert.match(await focused(page), /Typed again/);

  await tabTo(page, /^Week$/, 'Shift+Tab');
  await page.keyboard.press('Enter');
  await shown(page, 'Week');
  assert.equal(await focused(page), 'Week', 'the focus is at the beginning of the view');
  await tabTo(page, /Next week/);
  await page.keyboard.press('Enter');
  await tabTo(page, /^\w{3},? \d+ \w+$/);
  const scrolledHours = () =>
    page.evaluate(() => {
      let element = document.activeElement;
      while (element && element.scrollTop === 0) element = element.parentElement;
      return element?.scrollTop ?? 0;
    });
  const before = await scrolledHours();
  await page.keyboard.press('End');
  await until(
    scrolledHours,
    (top) => top > before + 100,
    'the hours of a week without events are scrolled from its first day',
  );
  await tabTo(page, /Next week/, 'Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(page), 'Today');
  await page.keyboard.press('Space');
  await grid.getByText('Typed again').first().waitFor();
  await tabTo(page, /Calendars/);
  await page.keyboard.press('Enter');
  await details.getByRole('checkbox', { name: 'typist' }).waitFor();
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert.match(await focused(page), /Calendars/);
  await tabTo(page, /Typed again/);
  await page.keyboard.press('Enter');
  await details.getByRole('heading', { name: 'Typed again' }).waitFor();
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert.match(await focused(page), /Typed again/);

  await tabTo(page, /Signed in as/, 'Shift+Tab');
  await page.keyboard.press('Enter');
  await tabTo(page, /Sign out/);
  await page.keyboard.press('Escape');
  assert.match(await focused(page), /Signed in as/);
});
