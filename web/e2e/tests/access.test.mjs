// Granting, withholding, revoking and granting access again, on the emulator's copy of Google's consent page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  calwire,
  consent,
  control,
  eventIn,
  google,
  isLive,
  morning,
  openPage,
  parts,
  show,
  timed,
} from '../harness.mjs';

test('connecting Google from the page shows its events', async (t) => {
  await control.addUser('newcomer');
  await google.as('newcomer').insert(timed('Waiting in Google'));
  const { page } = await openPage(t, { user: 'newcomer', timeZone: morning() });
  await page.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();

  await page.getByRole('button', { name: 'Connect Google Calendar' }).click();
  await consent(page, 'newcomer', { decision: 'Cancel' });
  await page.getByRole('alert').getByText('Not connected').waitFor();

  await page.getByRole('button', { name: 'Connect Google Calendar' }).click();
  await consent(page, 'newcomer');
  await page.getByText('Google is connected.').waitFor();
  await eventIn(parts(page).agenda, 'Waiting in Google').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('user'), 'newcomer', 'back at the page that it left');
  assert.equal(new URL(page.url()).searchParams.get('calwire'), null, 'the address is clean again');
  await isLive(page);
});

test('calendar access left unticked is requested again', async (t) => {
  await control.addUser('unticked');
  await google.as('unticked').insert(timed('Behind the box'));
  const { page } = await openPage(t, { user: 'unticked', timeZone: morning() });
  const { next, agenda } = parts(page);
  // The overview, with two such buttons, may be there for a moment.
  await page.getByRole('heading', { name: 'Bring your calendar here' }).waitFor();
  await page.getByRole('button', { name: 'Connect Google Calendar' }).click();
  await consent(page, 'unticked', { calendar: false });
  await page.getByText('Connected, but without the calendar.').waitFor();
  await next.getByText('Calendar access is missing').waitFor();
  await show(page, 'Overview');

  await next.getByRole('button', { name: 'Allow calendar access' }).click();
  await consent(page, 'unticked');
  await eventIn(agenda, 'Behind the box').waitFor();
  await page.getByText('Calendar access is missing').waitFor({ state: 'detached' });
});

// The events read so far stay on the page.
test('a revoked grant shows at once, and reconnecting restores it', async (t) => {
  const person = await calwire.newUser('revoker');
  await person.insert(timed('Read before'));
  const { page } = await openPage(t, { user: 'revoker', timeZone: morning() });
  const { agenda } = parts(page);
  await isLive(page);
  await eventIn(agenda, 'Read before').waitFor();

  await person.revoke();
  await calwire.as('revoker').mutate('calendar.google.syncNow');
  await agenda.getByText(/Google wants you to sign in again for revoker@example\.com/).waitFor();
  await eventIn(agenda, 'Read before').waitFor();
  await agenda.getByText(/^Paused/).waitFor();
  await show(page, 'Week');
  await eventIn(parts(page).grid, 'Read before').waitFor();
  await page.reload();
  await eventIn(parts(page).grid, 'Read before').waitFor();
  await show(page, 'Overview');

  await person.insert(timed('Unseen', { inMinutes: 90 }));
  await agenda.getByRole('button', { name: 'Reconnect' }).click();
  await consent(page, 'revoker');
  await eventIn(agenda, 'Unseen').waitFor();
  await eventIn(agenda, 'Read before').waitFor();
  await agenda.getByText(/Google wants you to sign in again/).waitFor({ state: 'detached' });
  await person.insert(timed('Live again', { inMinutes: 120 }));
  await eventIn(agenda, 'Live again').waitFor();
});
