// Other people's texts in an event are shown as text, whatever they contain, and break no layout.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { allDay, calwire, isLive, morning, openPage, parts, screenshot, show, timed, until } from '../harness.mjs';

/** Early enough for all of them to be today. */
const ZONE = morning(7);
const MARK = 'window.intruded = true';
const TITLES = [
  `<img src=x onerror="${MARK}">`,
  `<script>${MARK}</script>`,
  `"><svg onload="${MARK}" onclick="${MARK}">`,
  `{{constructor.constructor('${MARK}')()}}`,
  `javascript:${MARK}`,
  '\u202Etxt.exe\u202C reversed \u2067right to left\u2069',
  '\u05E9\u05DC\u05D5\u05DD \u0645\u0631\u062D\u0628\u0627 mixed (1) [2]',
  '👩‍👩‍👧‍👦🏳️‍🌈🇨🇭 ' + '🎉'.repeat(50),
  'Z\u0351\u036B\u0343'.repeat(60),
  'word '.repeat(2000),
  'x'.repeat(10_000),
  ' \u200B\u00A0\u2028\n\t ',
  '&lt;b&gt;bold&lt;/b&gt; %00 \\u003cscript\\u003e',
];

before(async () => {
  const person = await calwire.newUser('hostile');
  for (const [n, summary] of TITLES.entries()) {
    const event = n % 3 === 2 ? allDay(summary, { timeZone: ZONE }) : timed(summary, { inMinutes: 30 + 25 * n });
    await person.insert({
      ...event,
      location: n % 2 ? summary : `javascript:${MARK}`,
      description: `<a href="javascript:${MARK}">click</a><iframe src="javascript:${MARK}"></iframe>${summary}`,
    });
  }
});

/** @param {import('playwright-core').Page} page */
async function assertHarmless(page) {
  const found = await page.evaluate(() => ({
    intruded: 'intruded' in window,
    elements: [
      ...document.querySelectorAll('main img, main script, main iframe, main object, aside img, dialog img'),
    ].map(({ outerHTML }) => outerHTML.slice(0, 100)),
    handlers: [...document.querySelectorAll('main *, aside *')]
      .flatMap((element) => element.getAttributeNames())
      .filter((name) => name.startsWith('on')),
    links: [...document.querySelectorAll('a')].map(({ href }) => href).filter((href) => !/^https?:/.test(href)),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    outside: [
      ...document.querySelectorAll('.calwire-event, .calwire-next-title, .calwire-details-title, .calwire-chip'),
    ]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map(({ className }) => className),
  }));
  assert.deepEqual(found, { intruded: false, elements: [], handlers: [], links: [], overflow: 0, outside: [] });
}

for (const [name, options] of /** @type {const} */ ([
  ['a desk', {}],
  ['a phone', { touch: true }],
])) {
  test(`hostile texts are harmless on ${name}`, async (t) => {
    const { page } = await openPage(t, { user: 'hostile', timeZone: ZONE, ...options });
    page.on('dialog', (dialog) => {
      void dialog.dismiss();
      assert.fail(`a dialog: ${dialog.message()}`);
    });
    await isLive(page);
    const { agenda, details, grid } = parts(page);
    const rows = agenda.locator('button.calwire-event');
    await until(
      () => rows.count(),
      (count) => count >= TITLES.length,
      'all are in the agenda',
    );
    await agenda.getByText('(No title)').waitFor();
    await assertHarmless(page);
    await screenshot(page, `hostile overview ${name}`);
    for (const row of await rows.all()) {
      await row.click();
      await details.waitFor();
      await assertHarmless(page);
      await page.keyboard.press('Escape');
      await details.waitFor({ state: 'detached' });
    }
    for (const view of /** @type {const} */ (['Week', 'Month', 'Inspector'])) {
      await show(page, view);
      if (view !== 'Inspector') await grid.locator('.calwire-chip, .calwire-dots > span').first().waitFor();
      await assertHarmless(page);
      await screenshot(page, `hostile ${view} ${name}`);
    }
  });
}
