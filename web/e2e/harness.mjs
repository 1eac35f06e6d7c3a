// What the tests import: a browser, Google, and the stack behind the page.

export { openPage, screenshot, violations } from './harness/browser.mjs';
export { control } from './harness/control.mjs';
export { allDay, google, timed } from './harness/google.mjs';
export { stack } from './harness/stack.mjs';
