// Edits that conflict with another change, are refused by Google, or lose the network.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  calwire,
  control,
  eventIn,
  google,
  isLive,
  morning,
  openPage,
  parts,
  screenshot,
  shown,
  timed,
  until,
  violations,
} from '../../harness.mjs';

/**
 * Opens the week, with one event in it.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} user
 * @param {Partial<Parameters<typeof openPage>[1]> & { event?: Record<string, unknown> }} [options]
 */
async function week(t, user, { event = {}, ...options } = {}) {
  const person = await calwire.newUser(user);
  const made = await person.insert({ ...timed('Design review', { inMinutes: 90 }), ...event });
  await control.settled(user);
  const opened = await openPage(t, { user, timeZone: morning(), path: '/#week', ...options });
  const { page } = opened;
  await Promise.all([isLive(page), shown(page, 'Week')]);
  const { grid, details } = parts(page);
  await eventIn(grid, 'Design review').waitFor();
  const form = page.locator('dialog.calwire-dialog');
  const edit = async (/** @type {string} */ title) => {
    await eventIn(grid, 'Design review').click();
    await details.getByRole('button', { name: 'Edit' }).click();
    await form.getByRole('textbox', { name: 'Title' }).fill(title);
  };
  return { ...opened, person, made, grid, details, form, edit };
}

/**
 * @param {string} user
 * @param {Record<string, unknown>} fault
 */
const fault = (user, fault) => google.admin('POST', '/faults', { user: google.accountOf(user), ...fault });

/** @param {string} user */
async function titles(user) {
  const { events } = await google.admin('GET', `/state?calendar=${google.accountOf(user)}`);
  return events.map((/** @type {any} */ { summary }) => summary);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`a conflict shows both changes to choose from, ${colorScheme}`, async (t) => {
    const user = `rival-${colorScheme}`;
    // Google's push is dropped, so the page does not know of the other change.
    const { page, person, made, form, edit, grid } = await week(t, user, { colorScheme, expected: [/409/] });
    await fault(user, { endpoint: 'push', fault: 'drop' });
    await edit('Mine');
    await form.getByRole('textbox', { name: 'Location' }).fill('My room');
    await person.patch(made.id, { summary: 'Theirs', description: 'Their words' });
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByRole('heading', { name: 'Conflicting changes' }).waitFor();
    const sides = form.getByRole('group', { name: 'Title' });
    await sides.getByText('Mine').waitFor();
    await sides.getByText('Theirs', { exact: true }).first().waitFor();
    await screenshot(page, `editing conflict ${colorScheme}`, { fullPage: false });
    assert.deepEqual(await violations(page), []);
    await sides
      .getByRole('radio')
      .nth(colorScheme === 'light' ? 0 : 1)
      .check();
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    const title = colorScheme === 'light' ? 'Mine' : 'Theirs';
    await eventIn(grid, title).waitFor();
    const { events } = await google.admin('GET', `/state?calendar=${google.accountOf(user)}`);
    const { summary, location, description } = events[0];
    assert.deepEqual([summary, location, description], [title, 'My room', 'Their words']);
  });
}

test('changes of different fields are merged, with a notice', async (t) => {
  const { page, person, made, form, edit, grid } = await week(t, 'merger');
  await fault('merger', { endpoint: 'push', fault: 'drop' });
  await edit('Renamed here');
  await person.patch(made.id, { location: 'Room 9' });
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  await eventIn(grid, /Renamed here.*Room 9/).waitFor();
  await page.getByText(/Both changes are saved/).waitFor();
});

test('an edit that Google refuses is reverted with the reason', async (t) => {
  const { page, form, edit, grid } = await week(t, 'refused', { expected: [/40\d/] });
  await fault('refused', { endpoint: 'events.patch', fault: 'error', status: 403, reason: 'forbidden' });
  await edit('Not to be');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByRole('alert').getByText('Google does not let you change this').waitFor();
  assert.equal(await form.getByRole('textbox', { name: 'Title' }).inputValue(), 'Not to be', 'the text is kept');
  assert.equal(await eventIn(grid, 'Not to be').count(), 0);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Discard' }).click();
  await form.waitFor({ state: 'detached' });

  const before = await eventIn(grid, 'Design review').boundingBox();
  await eventIn(grid, 'Design review').focus();
  await page.keyboard.press('Alt+ArrowDown');
  await page.getByText(/“Design review” was not changed: Google does not let you change this/).waitFor();
  assert.deepEqual(await eventIn(grid, 'Design review').boundingBox(), before, 'the event is back where it was');
  assert.deepEqual(await titles('refused'), ['Design review']);
});

test('without a network the form stays, and saves once later', async (t) => {
  const { form, edit, grid } = await week(t, 'tunnel', { expected: [/ERR_|Failed|WebSocket/] });
  await edit('From the tunnel');
  await control.network.cut();
  try {
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByRole('alert').waitFor();
    assert.equal(await form.getByRole('textbox', { name: 'Title' }).inputValue(), 'From the tunnel');
  } finally {
    await control.network.mend();
  }
  await form.getByRole('button', { name: 'Try again' }).click();
  await form.waitFor({ state: 'detached' });
  await eventIn(grid, 'From the tunnel').waitFor();
  await until(
    () => titles('tunnel'),
    (now) => now.join() === 'From the tunnel',
    'the edit is in Google',
  );
});

test('an edit is marked pending while Google is unreachable', async (t) => {
  const { page, form, edit, grid } = await week(t, 'waiting');
  await fault('waiting', { id: 'away', endpoint: 'events.*', fault: 'error', status: 503 });
  await edit('Later');
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/Google cannot be reached/).waitFor();
  await form.waitFor({ state: 'detached' });
  await grid.locator('.calwire-chip[data-edit=pending]').waitFor();
  await google.admin('DELETE', '/faults/away');
  await until(
    () => grid.locator('.calwire-chip[data-edit=pending]').count(),
    (count) => count === 0,
    'the edit is no longer pending',
  );
  await eventIn(grid, 'Later').waitFor();
  assert.deepEqual(await titles('waiting'), ['Later']);
});

test('an edit shows and stays while the broker is down', async (t) => {
  const { page, form, edit, grid } = await week(t, 'brokerless', { expected: [/WebSocket|50\d|ERR_/] });
  await control.broker.kill();
  try {
    await edit('Without the broker');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await eventIn(grid, 'Without the broker').waitFor();
    // By then the optimistic overlay is gone, and the snapshot holds the edit.
    await page.waitForTimeout(4_000);
    await eventIn(grid, 'Without the broker').waitFor();
  } finally {
    await control.broker.start();
  }
  await isLive(page);
  assert.equal(await eventIn(grid, 'Without the broker').count(), 1);
});

for (const [device, options] of /** @type {const} */ ([
  ['desk', {}],
  ['phone', { touch: true }],
])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    test(`editing has no accessibility problem on a ${device}, ${colorScheme}`, async (t) => {
      const user = `edit-${device}-${colorScheme}`;
      const guests = [{ email: 'ann@example.com', displayName: 'Ann', responseStatus: 'accepted' }];
      const recurrence = ['RRULE:FREQ=WEEKLY;INTERVAL=2'];
      const event = { attendees: guests, recurrence, location: 'Room 4' };
      const { page, person, form, grid, details } = await week(t, user, { colorScheme, event, ...options });
      await person.insert(timed('Lunch', { inMinutes: 30, minutes: 45 }));
      await eventIn(grid, 'Lunch').waitFor();
      /** @type {string[]} */
      const found = [];
      const note = async (/** @type {string} */ name) => {
        await screenshot(page, `editing ${name} ${device} ${colorScheme}`, { fullPage: false });
        found.push(...(await violations(page)).map((violation) => `${name}: ${violation}`));
      };
      await note('week');
      await eventIn(grid, 'Design review').click();
      await details.getByRole('button', { name: 'Edit' }).waitFor();
      await note('details');
      await details.getByRole('button', { name: 'Edit' }).click();
      await form.getByRole('textbox', { name: 'Title' }).waitFor();
      await form.getByText('RRULE:FREQ=WEEKLY;INTERVAL=2').waitFor();
      await note('form');
      await form.getByRole('checkbox', { name: 'As the calendar does' }).uncheck();
      await form.getByLabel('Start date').fill('');
      await form.getByRole('button', { name: 'Save' }).click();
      await form.getByText('Say when it starts.').waitFor();
      await form.evaluate((dialog) => dialog.scrollTo(0, dialog.scrollHeight));
      await note('form end');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Keep editing' }).waitFor();
      await note('discard');
      await page.getByRole('button', { name: 'Discard' }).click();
      await eventIn(grid, 'Design review').focus();
      await page.keyboard.press('Delete');
      await form.getByRole('radio', { name: 'All events' }).check();
      await note('question');
      await form.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('button', { name: 'Undo' }).waitFor();
      await note('snackbar');
      await page.getByRole('button', { name: 'Undo' }).click();
      await eventIn(grid, 'Design review').waitFor();
      assert.deepEqual(found, []);
    });
  }
}
