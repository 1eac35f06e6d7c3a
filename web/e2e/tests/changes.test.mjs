// Changes in Google reach every open page and view by the message alone, without a request.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allDay, calwire, eventIn, isLive, morning, openPage, parts, shown, timed, until } from '../harness.mjs';

/**
 * Opens two tabs of one user: the overview and the week.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} user
 */
async function twoTabs(t, user) {
  const opened = await openPage(t, { user, timeZone: morning() });
  const overview = opened.page;
  const week = await opened.newTab('#week');
  await Promise.all([isLive(overview), isLive(week), shown(week, 'Week')]);
  const { next, agenda } = parts(overview);
  return { ...opened, overview, next, agenda, grid: parts(week).grid };
}

/** @param {import('playwright-core').Locator} next */
const nothingAhead = (next) => next.locator('.calwire-notice').getByText('Nothing ahead').waitFor();

test('single changes in Google show without a request', async (t) => {
  const person = await calwire.newUser('changer');
  const { traffic, next, agenda, grid } = await twoTabs(t, 'changer');
  await nothingAhead(next);
  const since = traffic.mark();

  const event = await person.insert(timed('Standup', { inMinutes: 120 }));
  await next.getByRole('heading', { name: 'Standup' }).waitFor();
  await next.getByText(/^in (2 h|1 h 59 min)$/).waitFor();
  for (const part of [agenda, grid]) await eventIn(part, 'Standup').waitFor();

  await person.patch(event.id, { summary: 'Retrospective', location: 'Room 4' });
  await next.getByRole('heading', { name: 'Retrospective' }).waitFor();
  await next.getByText('Room 4', { exact: true }).waitFor();
  for (const part of [agenda, grid]) await eventIn(part, 'Retrospective').waitFor();

  const top = async () => (await eventIn(grid, 'Retrospective').boundingBox())?.y ?? NaN;
  const before = await top();
  await person.move(event.id, -60);
  await next.getByText(/^in (1 h|59 min)$/).waitFor();
  await until(top, (now) => now < before, 'the event has moved up in the week');

  await person.delete(event.id);
  await nothingAhead(next);
  for (const part of [agenda, grid]) await eventIn(part, 'Retrospective').waitFor({ state: 'detached' });

  assert.deepEqual(since.requests(), []);
  assert.deepEqual(since.sockets(), []);
  assert.equal(traffic.openSockets().length, 2, 'each tab has one socket');
});

test('changes to a series in Google show without a request', async (t) => {
  const person = await calwire.newUser('repeater');
  const { traffic, agenda, grid } = await twoTabs(t, 'repeater');
  const since = traffic.mark();

  const series = await person.insert({ ...timed('Yoga', { inMinutes: 60 }), recurrence: ['RRULE:FREQ=DAILY;COUNT=8'] });
  await until(
    () => eventIn(agenda, 'Yoga').count(),
    (count) => count === 8,
    'today and seven days more',
  );
  await eventIn(grid, 'Yoga').first().waitFor();

  const tomorrow = new Date(Date.parse(series['start'].dateTime) + 86_400_000).toISOString();
  const instance = `${series.id}_${tomorrow.replaceAll(/[-:]|\.\d+/g, '')}`;
  await person.patch(instance, { summary: 'Yoga outside' });
  await eventIn(agenda, 'Yoga outside').waitFor();
  await person.delete(instance);
  await until(
    () => eventIn(agenda, 'Yoga').count(),
    (count) => count === 7,
    'one instance less',
  );

  await person.patch(series.id, { summary: 'Pilates' });
  await until(
    () => eventIn(agenda, 'Pilates').count(),
    (count) => count === 7,
    'all have the new title',
  );
  assert.equal(await eventIn(agenda, 'Yoga').count(), 0);
  await eventIn(grid, 'Pilates').first().waitFor();

  await person.delete(series.id);
  for (const part of [agenda, grid])
    await until(
      () => eventIn(part, 'Pilates').count(),
      (count) => count === 0,
      'gone',
    );
  assert.deepEqual(since.requests(), []);
});

test('an all-day event becomes timed, then spans several days', async (t) => {
  const person = await calwire.newUser('allday');
  const { traffic, agenda, grid } = await twoTabs(t, 'allday');
  const since = traffic.mark();

  const event = await person.insert(allDay('Conference'));
  await eventIn(agenda, 'Conference').getByText('All day').waitFor();
  await eventIn(grid, /Conference.*[Aa]ll day/).waitFor();

  const { start, end } = timed('', { inMinutes: 60 });
  await person.patch(event.id, { start: { ...start, date: null }, end: { ...end, date: null } });
  await eventIn(agenda, 'Conference')
    .getByText(/\d\d:\d\d/)
    .waitFor();

  const days = allDay('', { days: 3 });
  await person.patch(event.id, {
    start: { ...days.start, dateTime: null, timeZone: null },
    end: { ...days.end, dateTime: null, timeZone: null },
  });
  await until(
    () => eventIn(agenda, 'Conference').count(),
    (count) => count === 3,
    'a row on each day',
  );
  assert.deepEqual(since.requests(), []);
});

test('the month and a distant day show changes too', async (t) => {
  const person = await calwire.newUser('monthly');
  const { page } = await openPage(t, { user: 'monthly', path: '/#month', timeZone: morning() });
  const { grid } = parts(page);
  await Promise.all([isLive(page), shown(page, 'Month')]);

  const event = await person.insert(timed('Dentist', { inMinutes: 60 }));
  await eventIn(grid, 'Dentist').waitFor();
  await person.patch(event.id, { summary: 'Dentist, postponed' });
  await eventIn(grid, 'Dentist, postponed').waitFor();

  // Outside the window that the page keeps current by itself.
  const far = allDay('Anniversary', { inDays: 120 });
  await person.insert(far);
  await grid.getByLabel('Go to date').fill(far.start.date);
  await eventIn(grid, 'Anniversary').waitFor();
  await person.insert(allDay('Another year', { inDays: 120 }));
  await eventIn(grid, 'Another year').waitFor();
  await person.delete(event.id);
  await grid.getByRole('button', { name: 'Today' }).click();
  await until(
    () => eventIn(grid, 'Dentist').count(),
    (count) => count === 0,
    'the event deleted while off the screen is gone',
  );
});

test('many changes at once end as they are in Google', async (t) => {
  const person = await calwire.newUser('burst');
  const { traffic, agenda } = await twoTabs(t, 'burst');
  const since = traffic.mark();
  const events = await Promise.all(
    Array.from({ length: 30 }, (_, n) => person.insert(timed(`Burst ${n}`, { inMinutes: 60 + n }))),
  );
  await Promise.all(
    events.map(({ id }, n) => (n % 3 === 0 ? person.delete(id) : person.patch(id, { summary: `Kept ${n}` }))),
  );
  await until(
    () => eventIn(agenda, 'Kept').count(),
    (count) => count === 20,
    'two of three are kept',
  );
  assert.equal(await eventIn(agenda, 'Burst').count(), 0);
  // Changes too large for a message are loaded: by each tab once for all that arrive during a load.
  assert.ok(since.requests(/getState/).length <= 8, JSON.stringify(since.requests()));
});
