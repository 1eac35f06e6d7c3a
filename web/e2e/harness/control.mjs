// Breaks and mends the stack behind the page. crates/e2e/src/control.rs runs the commands, one after the other.

import { request, stack } from './stack.mjs';

/**
 * @param {string} path
 * @param {Record<string, unknown>} [body]
 */
const command = (path, body = {}) => request('POST', `${stack.controlUrl}${path}`, { body });

/** @param {string} name */
const service = (name) => ({
  /** As by a crash. */
  kill: () => command(`/${name}/kill`),
  /**
   * @param {Record<string, string>} [env] more variables, for this start alone
   */
  start: (env) => command(`/${name}/start`, env ? { env } : {}),
});

export const control = {
  /** Centrifugo. It comes back empty, on the same port. */
  broker: {
    kill: () => command('/broker/kill'),
    start: () => command('/broker/start'),
  },
  api: service('api'),
  ingest: service('ingest'),
  renewer: service('renewer'),
  database: {
    stop: () => command('/database/stop'),
    start: () => command('/database/start'),
  },
  /** The network between all browsers and the one origin. Google still reaches Calwire. */
  network: {
    cut: () => command('/network/cut'),
    mend: () => command('/network/mend'),
  },
  /**
   * A JWT of the host application that is valid for `expiresIn` seconds.
   *
   * @param {string} user
   * @param {number} expiresIn
   * @returns {Promise<string>}
   */
  token: async (user, expiresIn) => (await command('/token', { user, expiresIn })).token,
  /**
   * Adds a user of the page and a Google account of the same name, by default with an empty calendar: tests with users of
   * their own do not disturb each other.
   *
   * @param {string} user
   * @param {{ calendars?: Record<string, unknown>[] }} [options] as in a seed file of the emulator
   */
  addUser: (user, options = {}) => command('/users', { user, ...options }),
  /**
   * Takes the user through Google's consent page, without a browser.
   *
   * @param {string} user
   * @param {{ scopes?: string[] }} [options] the ones left ticked; by default all
   * @returns {Promise<string>} the address at which the browser would have arrived
   */
  connect: async (user, options = {}) => (await command('/connect', { user, ...options })).location,
  /**
   * Waits until all of the user's calendars are imported and watched, and every message is published.
   *
   * @param {string} user
   */
  settled: (user) => command('/settled', { user }),
};
