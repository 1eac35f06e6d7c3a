// The imports of every test: a browser, its page, Google, Calwire, and the stack behind the page.

export { openPage, screenshot, violations } from './harness/browser.mjs';
export { broker } from './harness/broker.mjs';
export { calwire } from './harness/calwire.mjs';
export { control } from './harness/control.mjs';
export { allDay, google, morning, timed } from './harness/google.mjs';
export { consent } from './harness/consent.mjs';
export {
  accountIn,
  agendaTitles,
  equalToServer,
  eventIn,
  isLive,
  keptUsers,
  parts,
  show,
  shown,
  until,
} from './harness/parts.mjs';
export { stack } from './harness/stack.mjs';
export { widgetsPage } from './harness/widgets-page.mjs';
