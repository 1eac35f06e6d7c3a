// The inspector view: the path of a change to the page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { calwire, isLive, openPage, timed } from '../harness.mjs';

test('the inspector shows a pushed change and answers "sync now"', async (t) => {
  const person = await calwire.newUser('inspected');
  const { page } = await openPage(t, { user: 'inspected', path: '/#inspector' });
  await isLive(page);
  const card = page.getByRole('article', { name: 'inspected' });
  await card.getByText(/ends in/).waitFor();

  await person.insert(timed('Followed'));
  const round = card.locator('.round', { hasText: '1 changed' }).filter({ has: page.locator('[data-cause=push]') });
  await round.waitFor();
  for (const part of [/waited/, /pulled/, /published/, /to this tab/, /message \d+/]) {
    await round.getByText(part).first().waitFor();
  }
  const log = page.getByRole('list', { name: 'Messages, newest first' });
  await log.getByText('Followed').waitFor();
  const seq = await log.locator('.log-seq').first().textContent();
  assert.match((await round.textContent()) ?? '', new RegExp(`message ${seq}\\b`));

  await card.getByRole('button', { name: /^Sync now/ }).click();
  await card.getByText('In step with Google').waitFor();
  await card.locator('[data-cause=person]').first().waitFor();
  await page.getByRole('button', { name: /^Sync all/ }).click();
  await page.locator('.tools').getByText('In step with Google').waitFor();
});

test('a failed "sync now" shows at once; the next succeeds', async (t) => {
  await calwire.newUser('unasked');
  const { page, context } = await openPage(t, {
    user: 'unasked',
    path: '/#inspector',
    expected: [/Failed to load resource/],
  });
  await isLive(page);
  const card = page.getByRole('article', { name: 'unasked' });
  await card.getByText(/ends in/).waitFor();
  const syncNow = '**/trpc/calendar.google.syncNow*';
  await context.route(syncNow, (route) => route.abort());
  await card.getByRole('button', { name: /^Sync now/ }).click();
  await card.getByText('Request failed').waitFor();
  await context.unroute(syncNow);
  await card.getByRole('button', { name: /^Sync now/ }).click();
  await card.getByText('In step with Google').waitFor();
});
