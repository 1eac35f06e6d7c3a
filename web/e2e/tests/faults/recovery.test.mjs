// Lost messages cost one reload; until then the page shows how current it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  allDay,
  broker,
  calwire,
  control,
  equalToServer,
  eventIn,
  isLive,
  keptUsers,
  morning,
  openPage,
  parts,
  shown,
  timed,
  until,
} from '../../harness.mjs';

/** The browser's complaints about a server that is down. */
const AWAY = [/WebSocket connection to/, /Failed to load resource/, /ERR_/];

/** Messages in Centrifugo's history; see deploy/centrifugo.json. */
const HISTORY_SIZE = 200;

/** The load that a lost subscription costs: a state with its position on the channel. */
const RELOAD = /getState.*true/;

/**
 * @param {import('node:test').TestContext} t
 * @param {string} user
 */
async function overview(t, user) {
  const person = await calwire.newUser(user);
  await person.insert(timed('There before'));
  await control.settled(user);
  const opened = await openPage(t, { user, timeZone: morning(), expected: AWAY });
  await isLive(opened.page);
  await equalToServer(opened.page, user);
  return { ...opened, person, ...parts(opened.page) };
}

test('the page recovers after Centrifugo restarts empty', async (t) => {
  const { page, person, traffic, agenda } = await overview(t, 'amnesia');
  await control.broker.kill();
  await page.locator('[data-live=reconnecting]').waitFor();
  await eventIn(agenda, 'There before').waitFor();
  await agenda.getByText(/^Reconnecting… · as of/).waitFor();
  await person.insert(timed('While it was away', { inMinutes: 90 }));

  const since = traffic.mark();
  await control.broker.start();
  await isLive(page);
  assert.deepEqual(await equalToServer(page, 'amnesia'), ['There before', 'While it was away']);
  assert.equal(since.requests(RELOAD).length, 1, JSON.stringify(since.requests()));

  const later = traffic.mark();
  await person.insert(timed('Live again', { inMinutes: 120 }));
  await eventIn(agenda, 'Live again').waitFor();
  assert.deepEqual(later.requests(), []);
});

test('a short absence is recovered from history without a reload', async (t) => {
  const { page, person, traffic, agenda } = await overview(t, 'blinker');
  const since = traffic.mark();
  await control.network.cut();
  t.after(() => control.network.mend());
  await person.insert(timed('During the cut', { inMinutes: 90 }));
  await control.settled('blinker');
  await control.network.mend();
  await eventIn(agenda, 'During the cut').waitFor();
  await isLive(page);
  await equalToServer(page, 'blinker');
  assert.equal(since.requests(RELOAD).length, 0, JSON.stringify(since.requests()));
});

test('an absence longer than the history costs one reload', async (t) => {
  const { page, person, traffic, agenda } = await overview(t, 'absent');
  await control.network.cut();
  t.after(() => control.network.mend());
  await page.locator('[data-live=reconnecting], [data-live=offline]').waitFor();
  await person.insert(timed('Long ago', { inMinutes: 90 }));
  await control.settled('absent');
  // They carry nothing new, but push the earlier message out of the history.
  await broker.publish(
    'absent',
    Array.from({ length: HISTORY_SIZE + 1 }, () => ({ v: 2, seq: 0, type: 'resync' })),
  );
  await eventIn(agenda, 'There before').waitFor();

  const since = traffic.mark();
  await control.network.mend();
  await isLive(page);
  assert.deepEqual(await equalToServer(page, 'absent'), ['There before', 'Long ago']);
  assert.equal(since.requests(RELOAD).length, 1, JSON.stringify(since.requests()));
});

test('a gap in the messages costs one load', async (t) => {
  const { page, person, traffic, agenda } = await overview(t, 'gap');
  const since = traffic.mark();
  await broker.publish('gap', [{ v: 2, seq: 1_000_000, type: 'calendars.changed' }]);
  await person.insert(timed('After the gap', { inMinutes: 90 }));
  await eventIn(agenda, 'After the gap').waitFor();
  await equalToServer(page, 'gap');
  assert.ok(since.requests(/getState/).length <= 3, JSON.stringify(since.requests()));
});

test('the page recovers after the machine was offline', async (t) => {
  const { page, context, person, agenda } = await overview(t, 'traveller');
  await context.setOffline(true);
  await page.locator('[data-live=offline]').waitFor();
  await agenda.getByText(/^Offline · as of/).waitFor();
  await eventIn(agenda, 'There before').waitFor();
  await person.insert(timed('On the train', { inMinutes: 90 }));
  await context.setOffline(false);
  await isLive(page);
  await eventIn(agenda, 'On the train').waitFor();
});

test('the page works without calendar-api, and recovers', async (t) => {
  const { page, person, agenda } = await overview(t, 'alone');
  t.after(() => control.api.start().catch(() => undefined));
  await control.api.kill();
  // The socket does not need it.
  await person.insert(timed('Past the API', { inMinutes: 90 }));
  await eventIn(agenda, 'Past the API').waitFor();

  // A reload shows the events of the last visit.
  await until(
    () => keptUsers(page),
    (users) => users.includes('alone'),
    'the events are stored',
  );
  await page.reload();
  await eventIn(agenda, 'Past the API').waitFor();
  await agenda.getByText(/^(Offline|Connecting…) · as of/).waitFor();

  // A month that was never loaded can only be reported as unavailable.
  await page.getByRole('link', { name: 'Month' }).click();
  await shown(page, 'Month').catch(() => undefined);
  const { grid } = parts(page);
  const far = allDay('Far away', { inDays: 200 });
  await grid.getByLabel('Go to date').fill(far.start.date);
  await grid.getByText('The calendar service cannot be reached right now.').waitFor();

  await person.insert(far);
  await control.api.start();
  await isLive(page);
  await eventIn(grid, 'Far away').waitFor();
  await page.getByRole('link', { name: 'Overview' }).click();
  await equalToServer(page, 'alone');
});
