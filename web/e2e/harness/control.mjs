// The stack behind the page, broken and mended. crates/e2e/src/control.rs carries it out, one command after the other.

import { ask, stack } from './stack.mjs';

/**
 * @param {string} path
 * @param {Record<string, unknown>} [body]
 */
const command = (path, body = {}) => ask('POST', `${stack.controlUrl}${path}`, { body });

/** @param {string} name */
const service = (name) => ({
  /** As by a crash. */
  kill: () => command(`/${name}/kill`),
  /**
   * @param {Record<string, string>} [env] more environment, for this start alone
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
  /** Between browsers and the one origin, for all pages at once. Google still reaches Calwire. */
  network: {
    cut: () => command('/network/cut'),
    mend: () => command('/network/mend'),
  },
  /**
   * A JWT of the host application that lives so many seconds.
   *
   * @param {string} user
   * @param {number} expiresIn
   * @returns {Promise<string>}
   */
  token: async (user, expiresIn) => (await command('/token', { user, expiresIn })).token,
  /**
   * A user of the page and a Google account of the same name, with an empty calendar unless told otherwise: a test of its
   * own user disturbs no other.
   *
   * @param {string} user
   * @param {{ calendars?: Record<string, unknown>[] }} [options] as in a seed file of the emulator
   */
  addUser: (user, options = {}) => command('/users', { user, ...options }),
  /**
   * Takes the user through Google's consent page, without a browser.
   *
   * @param {string} user
   * @param {{ scopes?: string[] }} [options] those left ticked; all, unless given
   * @returns {Promise<string>} the address on which the browser would have ended
   */
  connect: async (user, options = {}) => (await command('/connect', { user, ...options })).location,
  /**
   * Until all of the user's calendars are imported and watched, and nothing is left to be told.
   *
   * @param {string} user
   */
  settled: (user) => command('/settled', { user }),
};
