// A real Chromium, and pages in it whose every complaint fails the test.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import axe from 'axe-core';

import { launch } from './chromium.mjs';
import { stack } from './stack.mjs';
import { Traffic } from './traffic.mjs';

const SCREENSHOTS = fileURLToPath(new URL('../../../target/calwire/screenshots/', import.meta.url));

/** Long enough for a busy two-core machine; a test that meets it has found something, not a slow day. */
const PATIENCE_MS = 20_000;

/** @type {Promise<import('playwright-core').Browser> | undefined} */
let running;
after(async () => (await running)?.close());

/** One Chromium for the tests of a file; each page has a profile of its own in it. */
function browser() {
  running ??= launch(stack.chromium);
  return running;
}

/**
 * @typedef {object} PageOptions
 * @property {string} [user] signed in as; without it, no user is
 * @property {string} [path] with its query; `user` is added to it
 * @property {string} [timeZone]
 * @property {string} [locale]
 * @property {'light' | 'dark'} [colorScheme]
 * @property {{ width: number, height: number }} [viewport]
 * @property {boolean} [touch] a phone
 * @property {number} [tokenSeconds] lifetime of each of the user's tokens; an hour by default
 * @property {RegExp[]} [expected] complaints that belong to the test, such as those about a server that is down
 * @property {(context: import('playwright-core').BrowserContext) => Promise<unknown>} [before] before the page is opened
 */

/**
 * Opens the page in a profile of its own, which is closed when the test ends. The test fails if one of its pages has
 * complained: an error in the console, an uncaught exception.
 *
 * @param {import('node:test').TestContext} t
 * @param {PageOptions} [options]
 */
export async function openPage(t, options = {}) {
  const { timeZone = 'Europe/Zurich', locale = 'en-GB', colorScheme = 'light', touch = false } = options;
  const context = await (
    await browser()
  ).newContext({
    baseURL: stack.webUrl,
    timezoneId: timeZone,
    locale,
    colorScheme,
    viewport: options.viewport ?? (touch ? { width: 390, height: 844 } : { width: 1280, height: 900 }),
    ...(touch ? { hasTouch: true, isMobile: true, deviceScaleFactor: 2 } : {}),
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const traffic = new Traffic(context);
  const complaints = complaintsOf(context, options.expected ?? []);
  t.after(async () => {
    await picturesOfFailure(t, context);
    await context.close();
    assert.deepEqual(complaints, [], 'the page complained');
  });
  if (options.user !== undefined && options.tokenSeconds !== undefined) {
    await shortTokens(context, options.user, options.tokenSeconds);
  }
  await options.before?.(context);

  const address = new URL(options.path ?? '/', stack.webUrl);
  if (options.user !== undefined) address.searchParams.set('user', options.user);
  const open = async (hash = address.hash) => {
    const page = await context.newPage();
    await page.goto(Object.assign(new URL(address), { hash }).href);
    return page;
  };
  return {
    page: await open(),
    context,
    traffic,
    /** The pages' complaints so far. */
    complaints,
    /** Another tab of the same browser; `#week` opens it there. */
    newTab: open,
  };
}

/**
 * @param {import('playwright-core').BrowserContext} context
 * @param {RegExp[]} expected
 */
function complaintsOf(context, expected) {
  /** @type {string[]} */
  const complaints = [];
  /** @param {string} text */
  const add = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) complaints.push(text);
  };
  context.on('console', (message) => {
    const { url } = message.location();
    if (message.type() === 'error') add(`${message.text()}${url ? ` (${url})` : ''}`);
  });
  context.on('weberror', (error) => add(String(error.error().stack ?? error.error())));
  return complaints;
}

/**
 * @param {import('playwright-core').BrowserContext} context
 * @param {string} user
 * @param {number} expiresIn
 */
async function shortTokens(context, user, expiresIn) {
  const { control } = await import('./control.mjs');
  await context.route(
    (url) => url.pathname === '/demo/token' && url.searchParams.get('user') === user,
    async (route) => route.fulfill({ json: { token: await control.token(user, expiresIn) } }),
  );
}

/**
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContext} context
 */
async function picturesOfFailure(t, context) {
  // Missing in Node's types.
  if (/** @type {{ passed?: boolean }} */ (/** @type {unknown} */ (t)).passed !== false) return;
  for (const [index, page] of context.pages().entries()) {
    await screenshot(page, `failed ${t.name} ${index + 1}`);
  }
}

/**
 * Saves a picture of the page under target/calwire/screenshots and returns its path.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} name
 * @param {{ fullPage?: boolean }} [options]
 */
export async function screenshot(page, name, { fullPage = true } = {}) {
  await mkdir(SCREENSHOTS, { recursive: true });
  const path = `${SCREENSHOTS}${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.png`;
  await page.screenshot({ path, fullPage });
  return path;
}

/**
 * The problems that axe-core finds for people who use a keyboard or a screen reader, a line each.
 *
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export async function violations(page) {
  // A script tag would be blocked by the page's content security policy.
  await page.evaluate(axe.source);
  // Without the details of what is well, which take as long as the rest.
  const results = await page.evaluate(() => /** @type {any} */ (window).axe.run({ resultTypes: ['violations'] }));
  return /** @type {import('axe-core').AxeResults} */ (results).violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${violation.help}: ${node.html}`),
  );
}
