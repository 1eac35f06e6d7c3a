// Opens the page in Chromium and reports when each title appears on it. Prints `ready`, then a line for each title: its
// number, and the Unix time in milliseconds at which the DOM had changed. Ends when its standard input does.

import { launch } from '../harness/chromium.mjs';

const { CALWIRE_WEB_URL, CHROMIUM_BIN } = process.env;
if (!CALWIRE_WEB_URL || !CHROMIUM_BIN) throw new Error('CALWIRE_WEB_URL and CHROMIUM_BIN are not set');

const browser = await launch(CHROMIUM_BIN);
const page = await browser.newPage();
await page.exposeFunction('shown', (/** @type {number} */ number, /** @type {number} */ at) => {
  process.stdout.write(`${number} ${at}\n`);
});
await page.goto(`${CALWIRE_WEB_URL}/?user=alice`);
await page.getByText('Renamed a lot').first().waitFor();
await page.evaluate(() => {
  let last = -1;
  new MutationObserver((mutations) => {
    const at = performance.timeOrigin + performance.now();
    for (const { target } of mutations) {
      // An element may contain several of them; their numbers rise.
      const names = (target.textContent ?? '').matchAll(/Renamed for the (\d+)th time/g);
      const number = Math.max(-1, ...[...names].map((name) => Number(name[1])));
      if (number <= last) continue;
      last = number;
      void (/** @type {any} */ (window).shown(number, at));
    }
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
});
process.stdout.write('ready\n');

process.stdin.resume();
process.stdin.once('end', () => void browser.close());
