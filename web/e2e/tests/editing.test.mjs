// Each change on the page reaches Google once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { calwire, control, eventIn, google, isLive, openPage, parts, shown, until } from '../harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const DAY = 86_400_000;
/**
 * Next week's Wednesday when the file started, or a day before or after it. It has days on both sides in every locale's
 * week. It stays the same past midnight, so tests go to it by its date instead of relying on the week that a view opens at.
 */
const wednesday = (() => {
  const today = Math.floor(Date.now() / DAY);
  const weekday = (today + 4) % 7 || 7;
  return (/** @type {number} */ days = 0) => new Date((today - weekday + 10 + days) * DAY).toISOString().slice(0, 10);
})();

/**
 * An event's body at an hour in UTC of {@link wednesday}, or of a day before or after it.
 *
 * @param {string} summary
 * @param {number} hour
 * @param {{ hours?: number, days?: number }} [options]
 */
const atHour = (summary, hour, { hours = 1, days = 0 } = {}) => ({
  summary,
  start: { dateTime: `${wednesday(days)}T${String(hour).padStart(2, '0')}:00:00Z`, timeZone: 'UTC' },
  end: { dateTime: `${wednesday(days)}T${String(hour + hours).padStart(2, '0')}:00:00Z`, timeZone: 'UTC' },
});

/**
 * Opens the page at the week of {@link wednesday}, for a person with these events.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} user
 * @param {Record<string, unknown>[]} events
 * @param {Partial<Parameters<typeof openPage>[1]>} [options]
 */
async function week(t, user, events, options = {}) {
  const person = await calwire.newUser(user);
  const made = [];
  for (const event of events) made.push(await person.insert(event));
  await control.settled(user);
  const opened = await openPage(t, { user, timeZone: 'UTC', path: '/#week', ...options });
  const { page } = opened;
  await goToWednesday(page, 'Week');
  const { grid, details } = parts(page);
  const title = events[0]?.['summary'];
  if (typeof title === 'string') await eventIn(grid, title).first().waitFor();
  await showHours(page);
  return { ...opened, person, made, grid, details, form: page.locator('dialog.calwire-dialog') };
}

/**
 * @param {Page} page
 * @param {'Week' | 'Month'} view that it shows
 */
async function goToWednesday(page, view) {
  await Promise.all([isLive(page), shown(page, view)]);
  await parts(page).grid.getByLabel('Go to date').fill(wednesday());
}

/**
 * Scrolls to the hours that the pointer needs; in the evening the week opens at the evening's.
 *
 * @param {Page} page
 */
async function showHours(page) {
  await page.evaluate(() => {
    const columns = [...document.querySelectorAll('.calwire-fc [data-date]')];
    const tall = columns.sort((a, b) => b.clientHeight - a.clientHeight)[0];
    for (let at = tall?.parentElement; at; at = at.parentElement) {
      if (at.scrollHeight > at.clientHeight && getComputedStyle(at).overflowY !== 'visible') {
        at.scrollTop = (at.scrollHeight * 6.75) / 24;
        return;
      }
    }
  });
}

/**
 * The events that Google has in the user's own calendar.
 *
 * @param {string} user
 * @returns {Promise<any[]>}
 */
async function atGoogle(user) {
  const { events } = await google.admin('GET', `/state?calendar=${google.accountOf(user)}`);
  return events.filter((/** @type {any} */ { status }) => status !== 'cancelled');
}

/**
 * @param {string} user
 * @param {string} summary
 * @param {(event: any) => boolean} isRight
 */
const becomes = (user, summary, isRight) =>
  until(
    async () => (await atGoogle(user)).filter((event) => event.summary === summary),
    (events) => events.length === 1 && isRight(events[0]),
    `${summary} at Google`,
  );

/**
 * The middle of an hour of a day in the grid.
 *
 * @param {Page} page
 * @param {string} day
 * @param {number} hour
 */
async function middleOf(page, day, hour) {
  const at = await page.evaluate(
    ([day, hour]) => {
      const column = document.querySelector(`.calwire-fc-cell[data-date="${day}"]:not([role=gridcell] *)`);
      const columns = [...document.querySelectorAll(`.calwire-fc [data-date="${day}"]`)];
      const tall = columns.map((each) => each.getBoundingClientRect()).sort((a, b) => b.height - a.height)[0];
      if (!tall) return { x: 0, y: 0, found: column !== null };
      return { x: tall.left + tall.width / 2, y: tall.top + (tall.height * Number(hour)) / 24, found: true };
    },
    [day, String(hour)],
  );
  assert.ok(at.x > 0, `there is a column of ${day}`);
  return at;
}

/**
 * @param {Page} page
 * @param {{ x: number, y: number }} from
 * @param {{ x: number, y: number }} to
 */
async function drag(page, from, to) {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 5 });
  await page.mouse.move(to.x, to.y, { steps: 5 });
  await page.mouse.up();
}

/**
 * @param {string} user
 * @param {string} endpoint
 * @returns {Promise<any[]>}
 */
const requestsOf = (user, endpoint) =>
  google.admin('GET', `/requests?endpoint=${endpoint}&user=${google.accountOf(user)}&limit=100`);

/** @param {any} event */
const hours = ({ start, end }) => [start, end].map(({ dateTime }) => new Date(dateTime).toISOString().slice(0, 16));

test('dragging over hours makes one event, in both tabs', async (t) => {
  const { page, form, grid, newTab } = await week(t, 'maker', [atHour('Breakfast', 8)]);
  const otherTab = await newTab('#week');
  await goToWednesday(otherTab, 'Week');
  const other = parts(otherTab).grid;
  await eventIn(other, 'Breakfast').waitFor();
  await drag(page, await middleOf(page, wednesday(), 10.1), await middleOf(page, wednesday(), 11.9));
  await form.getByRole('textbox', { name: 'Title' }).fill('Made by hand');
  assert.equal(await form.getByLabel('Start time').inputValue(), '10:00');
  assert.equal(await form.getByLabel('End time').inputValue(), '12:00');
  await form.getByRole('button', { name: 'Save' }).dblclick();
  await form.waitFor({ state: 'detached' });
  for (const part of [grid, other]) await eventIn(part, 'Made by hand').waitFor();
  await becomes(
    'maker',
    'Made by hand',
    (event) => hours(event).join() === `${wednesday()}T10:00,${wednesday()}T12:00`,
  );
  await control.settled('maker');
  assert.equal(await eventIn(grid, 'Made by hand').count(), 1);
  assert.equal((await atGoogle('maker')).length, 2);
});

test('the form fills every field, and edits an event', async (t) => {
  const { page, form, grid, details } = await week(t, 'writer', [atHour('Breakfast', 8)]);
  await page.getByRole('button', { name: 'New event' }).click();
  await form.getByRole('textbox', { name: 'Title' }).fill('Offsite');
  await form.getByRole('checkbox', { name: 'All day' }).check();
  await form.getByLabel('Start date').fill(wednesday());
  await form.getByLabel('End date').fill(wednesday(-1));
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText('It ends before it starts.').waitFor();
  assert.equal(await form.getByRole('textbox', { name: 'Title' }).inputValue(), 'Offsite', 'the title is kept');
  await form.getByLabel('End date').fill(wednesday(1));
  await form.getByLabel('Repeats', { exact: true }).selectOption('weekly');
  await form.getByRole('combobox', { name: 'Repetition ends' }).selectOption('after');
  await form.getByLabel('Number of times').fill('3');
  await form.getByRole('textbox', { name: 'Location' }).fill('The lake');
  await form.getByRole('textbox', { name: 'E-mail address of a guest' }).fill('ann@example.com');
  await form.getByRole('button', { name: 'Add', exact: true }).click();
  await form.getByLabel('Notify guests by e-mail').selectOption('none');
  await form.getByRole('checkbox', { name: 'Google Meet video meeting' }).check();
  await form.getByRole('textbox', { name: 'Description' }).fill('Bring boots.');
  await form.getByRole('radio', { name: 'Tomato' }).check();
  await form.getByRole('checkbox', { name: 'As the calendar does' }).uncheck();
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  const [event] = await becomes('writer', 'Offsite', () => true);
  assert.deepEqual(event.start.date, wednesday());
  assert.deepEqual(event.end.date, wednesday(2));
  assert.deepEqual(event.recurrence, ['RRULE:FREQ=WEEKLY;COUNT=3']);
  assert.deepEqual([event.location, event.description, event.colorId], ['The lake', 'Bring boots.', '11']);
  assert.ok(event.attendees.some((/** @type {any} */ { email }) => email === 'ann@example.com'));
  assert.deepEqual(event.reminders.overrides, [{ method: 'popup', minutes: 10 }]);
  assert.ok(event.hangoutLink ?? event.conferenceData, 'there is a meeting');

  await eventIn(grid, 'Breakfast').click();
  await details.getByRole('button', { name: 'Edit' }).click();
  await form.getByRole('textbox', { name: 'Title' }).fill('Brunch');
  await form.getByRole('textbox', { name: 'Location' }).fill('Kitchen');
  await form.getByRole('button', { name: 'Save' }).click();
  await eventIn(grid, 'Brunch').waitFor();
  await becomes('writer', 'Brunch', ({ location }) => location === 'Kitchen');
});

test('Escape never discards a half-written event', async (t) => {
  const { page, form } = await week(t, 'escaper', [atHour('Breakfast', 8)]);
  await page.getByRole('button', { name: 'New event' }).click();
  const title = form.getByRole('textbox', { name: 'Title' });
  await title.fill('Half written');
  const keep = form.getByRole('button', { name: 'Keep editing' });
  // Without a click or another key in between, browsers let a page prevent only one or two.
  for (let n = 0; n < 4; n += 1) {
    await page.keyboard.press('Escape');
    await keep.waitFor();
  }
  await keep.click();
  assert.equal(await title.inputValue(), 'Half written');
});

test('the pointer moves and resizes events, in week and month', async (t) => {
  const { page, grid, newTab } = await week(t, 'mover', [atHour('Piano', 10)]);
  const otherTab = await newTab('#week');
  await goToWednesday(otherTab, 'Week');
  const other = parts(otherTab).grid;
  const box = async () => (await eventIn(grid, 'Piano').boundingBox()) ?? assert.fail('the event is not in the week');
  let now = await box();
  const height = now.height;
  const grabbed = { x: now.x + now.width / 2, y: now.y + 18 };
  const hour = (await middleOf(page, wednesday(), 11)).y - (await middleOf(page, wednesday(), 10)).y;
  const nextDay = (await middleOf(page, wednesday(1), 10)).x - (await middleOf(page, wednesday(), 10)).x;
  await drag(page, grabbed, { x: grabbed.x + nextDay, y: grabbed.y + 2 * hour });
  await becomes('mover', 'Piano', (event) => hours(event).join() === `${wednesday(1)}T12:00,${wednesday(1)}T13:00`);
  await until(box, ({ x }) => Math.abs(x - now.x - nextDay) < 4, 'the event is where it was dropped');
  await until(
    async () => (await eventIn(other, 'Piano').boundingBox())?.x ?? 0,
    (x) => Math.abs(x - now.x - nextDay) < 4,
    'it is there in the other tab too',
  );

  now = await box();
  await page.mouse.move(now.x + now.width / 2, now.y + now.height / 2);
  const edge = { x: now.x + now.width / 2, y: now.y + now.height - 4 };
  await drag(page, edge, { x: edge.x, y: edge.y + hour - 2 });
  await becomes('mover', 'Piano', (event) => hours(event).join() === `${wednesday(1)}T12:00,${wednesday(1)}T14:00`);
  assert.ok((await box()).height > height * 1.5, 'the event is longer');

  const month = await newTab('#month');
  await goToWednesday(month, 'Month');
  const cell = month.locator(`.calwire-fc [data-date="${wednesday(-1)}"]`).last();
  // That week can be the month's last row, which is below the fold.
  await cell.scrollIntoViewIfNeeded();
  const target = (await cell.boundingBox()) ?? assert.fail('the new day is not in the month');
  const at = (await eventIn(parts(month).grid, 'Piano').boundingBox()) ?? assert.fail('the event is not in the month');
  await drag(
    month,
    { x: at.x + at.width / 2, y: at.y + at.height / 2 },
    { x: target.x + target.width / 2, y: target.y + target.height / 2 },
  );
  await becomes('mover', 'Piano', (event) => hours(event).join() === `${wednesday(-1)}T12:00,${wednesday(-1)}T14:00`);
});

test('the keyboard makes, moves, resizes and deletes an event', async (t) => {
  const { page, grid, form } = await week(t, 'keys', [atHour('Piano', 10)]);
  await page.getByRole('button', { name: 'New event' }).focus();
  await page.keyboard.press('Enter');
  await form.getByRole('textbox', { name: 'Title' }).waitFor();
  await until(
    () => page.evaluate(() => document.activeElement?.closest('.calwire-field')?.textContent ?? ''),
    (label) => label.startsWith('Title'),
    'the title has the focus',
  );
  await page.keyboard.type('Typed');
  await page.keyboard.press('Enter');
  await form.waitFor({ state: 'detached' });
  await becomes('keys', 'Typed', () => true);

  await eventIn(grid, 'Piano').focus();
  await page.keyboard.press('Alt+ArrowDown');
  await page.keyboard.press('Alt+ArrowDown');
  await page.keyboard.press('Alt+ArrowRight');
  await page.keyboard.press('Alt+Shift+ArrowDown');
  await becomes('keys', 'Piano', (event) => hours(event).join() === `${wednesday(1)}T10:30,${wednesday(1)}T11:45`);
  assert.match(page.url(), /#week/, 'Alt and an arrow do not go back in the history');
  assert.equal((await requestsOf('keys', 'events.patch')).length, 1, 'several presses are one move');
  assert.match(
    await page.evaluate(() => document.activeElement?.textContent ?? ''),
    /Piano/,
    'the focus follows the event',
  );
  await page.keyboard.press('Delete');
  await eventIn(grid, 'Piano').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).focus();
  await page.keyboard.press('Enter');
  await eventIn(grid, 'Piano').waitFor();
});

// Undone in time, a deletion is never sent to Google. Otherwise it is sent, even when the page is closed at once.
test('a deletion can be undone, and survives leaving the page', async (t) => {
  const { page, grid, details, newTab } = await week(t, 'deleter', [
    atHour('Undone', 8),
    atHour('Deleted', 10),
    atHour('Left behind', 12),
  ]);
  const remove = async (/** @type {string} */ title) => {
    await eventIn(grid, title).click();
    await details.getByRole('button', { name: 'Delete' }).click();
    await eventIn(grid, title).waitFor({ state: 'detached' });
  };
  await remove('Undone');
  await page.getByRole('button', { name: 'Undo' }).click();
  await eventIn(grid, 'Undone').waitFor();
  assert.equal((await requestsOf('deleter', 'events.delete')).length, 0);

  await remove('Deleted');
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await until(
    () => atGoogle('deleter'),
    (events) => events.length === 2,
    'the event is gone at Google',
  );

  await newTab();
  await remove('Left behind');
  await page.close();
  const left = await until(
    () => atGoogle('deleter'),
    (events) => events.length === 1,
    'the event deleted before the page was closed is gone at Google',
  );
  assert.equal(left[0].summary, 'Undone');
  assert.equal((await requestsOf('deleter', 'events.delete')).length, 2, 'each is sent once');
});

test('a guest answers, and the organizer is notified once', async (t) => {
  await control.addUser('host');
  const invitation = {
    ...atHour('Party', 15),
    id: 'party1',
    organizer: { email: 'host@example.com' },
    attendees: [{ email: 'guest@example.com' }, { email: 'else@example.com', responseStatus: 'accepted' }],
  };
  const primary = { id: 'guest@example.com', summary: 'guest', timeZone: 'UTC', primary: true, events: [invitation] };
  await calwire.newUser('guest', { calendars: [primary] });
  const { page } = await openPage(t, { user: 'guest', timeZone: 'UTC', path: '/#week' });
  await goToWednesday(page, 'Week');
  const { grid, details } = parts(page);
  await eventIn(grid, 'Party').click();
  const answer = details.getByRole('group', { name: 'Going?' });
  await answer.getByRole('button', { name: 'Maybe' }).click();
  await answer.locator('[aria-pressed=true]', { hasText: 'Maybe' }).waitFor();
  await answer.getByText('1 yes, 1 maybe, 0 no').waitFor();
  const own = (/** @type {any} */ event) =>
    event.attendees.find((/** @type {any} */ { email }) => email === 'guest@example.com')?.responseStatus;
  await becomes('guest', 'Party', (event) => own(event) === 'tentative');
  const mails = await google.admin('GET', '/mails?user=host@example.com&limit=50');
  assert.deepEqual(
    mails.map((/** @type {any} */ { kind }) => kind),
    ['response'],
  );

  await details.getByRole('button', { name: 'Edit' }).click();
  const title = page.getByRole('textbox', { name: 'Title' });
  assert.ok(await title.isDisabled(), 'only the organizer may change the title');
  await page.getByText('Only the organizer can change this.').first().waitFor();
  assert.ok(await page.getByRole('radio', { name: 'Tomato' }).isEnabled(), 'each guest chooses their own colour');
});

test('a series changes in one event, the following or all', async (t) => {
  const series = { ...atHour('Yoga', 10, { days: -1 }), recurrence: ['RRULE:FREQ=DAILY;COUNT=4'] };
  const { page, grid, details, form } = await week(t, 'yogi', [series]);
  await until(
    () => eventIn(grid, 'Yoga').count(),
    (count) => count === 4,
    'four days',
  );
  const edit = async (/** @type {number} */ nth, /** @type {string} */ scope, /** @type {string} */ title) => {
    await eventIn(grid, /Yoga|Stretching/)
      .nth(nth)
      .click();
    await details.getByRole('button', { name: 'Edit' }).click();
    await form.getByRole('radio', { name: scope, exact: true }).check();
    await form.getByRole('textbox', { name: 'Title' }).fill(title);
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
  };
  const counts = async (/** @type {Record<string, number>} */ expected) => {
    for (const [title, count] of Object.entries(expected)) {
      await until(
        () => eventIn(grid, new RegExp(`^${title},`)).count(),
        (now) => now === count,
        `${count} × ${title}`,
      );
    }
  };
  await edit(0, 'All events', 'Stretching');
  await counts({ Stretching: 4, Yoga: 0 });
  await edit(1, 'This event', 'Yoga outside');
  await counts({ 'Yoga outside': 1, Stretching: 3 });
  await edit(2, 'This and following events', 'Yoga again');
  await counts({ 'Yoga outside': 1, Stretching: 1, 'Yoga again': 2 });
  const masters = (await atGoogle('yogi')).filter(({ recurrence }) => recurrence);
  assert.deepEqual(masters.map(({ summary }) => summary).sort(), ['Stretching', 'Yoga again']);

  await eventIn(grid, /^Yoga again,/)
    .last()
    .click();
  await details.getByRole('button', { name: 'Delete' }).click();
  await form.getByRole('radio', { name: 'This event', exact: true }).waitFor();
  await form.getByRole('button', { name: 'Delete' }).click();
  await counts({ 'Yoga again': 1 });
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await control.settled('yogi');
  await counts({ 'Yoga outside': 1, Stretching: 1, 'Yoga again': 1 });
});
