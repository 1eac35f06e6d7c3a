// The same events seen from other zones: hours are local, and whole days stay on their dates.

import { before, test } from 'node:test';

import { calwire, eventIn, isLive, openPage, parts, show, until } from '../harness.mjs';

const ZONES = ['Pacific/Auckland', 'America/Los_Angeles', 'Asia/Kathmandu'];
const DAY = 86_400_000;
const iso = (/** @type {number} */ day) => new Date(day * DAY).toISOString().slice(0, 10);
const today = Math.floor(Date.now() / DAY);
/** A day that lies ahead in every zone, even if midnight passes during the tests. */
const SOON = today + 3;

/** Zones that change their clocks, and the date there on which they next do, at least two months ahead. */
const SWITCHES = ['Pacific/Auckland', 'America/Los_Angeles', 'Europe/Zurich'].map((zone) => ({
  zone,
  day: switchOf(zone),
}));

/**
 * The first day, from two months ahead, on which the zone's clocks change.
 *
 * @param {string} zone
 */
function switchOf(zone) {
  const offset = (/** @type {number} */ day) =>
    new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
      .formatToParts(day * DAY + DAY / 2)
      .find(({ type }) => type === 'timeZoneName')?.value;
  for (let day = today + 60; ; day += 1) if (offset(day) !== offset(day - 1)) return iso(day);
}

before(async () => {
  const person = await calwire.newUser('traveler');
  const soon = { date: iso(SOON) };
  await person.insert({ summary: 'Whole day', start: soon, end: { date: iso(SOON + 1) } });
  await person.insert({ summary: 'Two days', start: soon, end: { date: iso(SOON + 2) } });
  await person.insert({
    summary: 'Noon in Greenwich',
    start: { dateTime: `${iso(SOON)}T12:00:00Z`, timeZone: 'Etc/UTC' },
    end: { dateTime: `${iso(SOON)}T13:00:00Z`, timeZone: 'Etc/UTC' },
  });
  for (const { zone, day } of SWITCHES) {
    await person.insert({
      summary: `Switch ${zone}`,
      start: { date: day },
      end: { date: iso(Date.parse(day) / DAY + 1) },
    });
    await person.insert({
      summary: `Afternoon ${zone}`,
      start: { dateTime: `${day}T15:00:00`, timeZone: zone },
      end: { dateTime: `${day}T16:00:00`, timeZone: zone },
    });
  }
});

/**
 * The dates of the grid's cells that an event's box overlaps.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} title
 * @returns {Promise<string[]>}
 */
const datesOf = (page, title) =>
  page.evaluate((title) => {
    const boxes = [...document.querySelectorAll('.calwire-chip-title')]
      .filter((each) => each.textContent === title)
      .map((each) => (each.closest('.calwire-fc-event') ?? each).getBoundingClientRect());
    const cells = [...document.querySelectorAll('.calwire-fc [data-date]')];
    const dates = cells.filter((cell) => {
      const { left, right, top, bottom } = cell.getBoundingClientRect();
      return boxes.some((box) => {
        const across = Math.min(right, box.right) - Math.max(left, box.left);
        return across > 5 && box.top < bottom && box.bottom > top;
      });
    });
    return [...new Set(dates.map((cell) => cell.getAttribute('data-date')?.slice(0, 10) ?? ''))].sort();
  }, title);

for (const timeZone of ZONES) {
  test(`in ${timeZone}, hours are local and whole days stay`, async (t) => {
    const { page } = await openPage(t, { user: 'traveler', timeZone });
    const { agenda, grid } = parts(page);
    await isLive(page);
    const dayName = new Intl.DateTimeFormat('en-GB', { weekday: 'long', timeZone: 'UTC' }).format(SOON * DAY);
    const section = (/** @type {string} */ name) => agenda.getByRole('region', { name: new RegExp(name) });
    await eventIn(section(dayName), 'Whole day').waitFor();
    await until(
      () => eventIn(agenda, 'Whole day').count(),
      (count) => count === 1,
      'it is on one day',
    );
    await until(
      () => eventIn(agenda, 'Two days').count(),
      (count) => count === 2,
      'it is on two days',
    );

    const noon = Date.parse(`${iso(SOON)}T12:00:00Z`);
    const local = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(noon);
    await eventIn(agenda, 'Noon in Greenwich').getByText(local).first().waitFor();

    for (const view of /** @type {const} */ (['Month', 'Week'])) {
      await show(page, view);
      await grid.getByLabel('Go to date').fill(iso(SOON));
      await eventIn(grid, 'Whole day').waitFor();
      await until(
        () => datesOf(page, 'Whole day'),
        (dates) => dates.join() === iso(SOON),
        `${view}: it is on its day`,
      );
    }
    for (const { zone, day } of SWITCHES) {
      await grid.getByLabel('Go to date').fill(day);
      await eventIn(grid, `Switch ${zone}`).waitFor();
      await until(
        () => datesOf(page, `Switch ${zone}`),
        (dates) => dates.join() === day,
        `it is on the day of the change in ${zone}`,
      );
      const at = Date.parse(utcOf(`${day}T15:00:00`, zone));
      const here = new Intl.DateTimeFormat('en-CA', { timeZone }).format(at);
      await grid.getByLabel('Go to date').fill(here);
      const time = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(at);
      await eventIn(grid, `Afternoon ${zone}`).getByText(time).first().waitFor({ state: 'attached' });
    }
  });
}

/**
 * A zone's wall clock time with its offset. The hour must be one that exists once on its day.
 *
 * @param {string} wall
 * @param {string} zone
 */
function utcOf(wall, zone) {
  const name = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    .formatToParts(Date.parse(`${wall}Z`))
    .find(({ type }) => type === 'timeZoneName')?.value;
  return `${wall}${name?.replace('GMT', '') || 'Z'}`;
}
