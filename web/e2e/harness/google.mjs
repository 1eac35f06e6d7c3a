// "In Google": what a person does there, through the emulator's Calendar API, and what only its admin API can do.

import { ask, stack } from './stack.mjs';

/** @typedef {{ id: string, summary?: string, [field: string]: any }} GoogleEvent */

/**
 * A body of `google.as(…).insert`: an event that begins so many minutes from now, on a whole minute.
 *
 * @param {string} summary
 * @param {{ inMinutes?: number, minutes?: number, timeZone?: string }} [options]
 */
export function timed(summary, { inMinutes = 60, minutes = 60, timeZone = 'UTC' } = {}) {
  const start = Math.floor(Date.now() / 60_000) + inMinutes;
  /** @param {number} at */
  const time = (at) => ({ dateTime: new Date(at * 60_000).toISOString(), timeZone });
  return { summary, start: time(start), end: time(start + minutes) };
}

/**
 * As {@link timed}, for an event of whole days, counted from today in a zone: the one of {@link morning} unless another
 * is given, for the page and UTC need not have the same date.
 *
 * @param {string} summary
 * @param {{ inDays?: number, days?: number, timeZone?: string }} [options]
 */
export function allDay(summary, { inDays = 0, days = 1, timeZone = morning() } = {}) {
  // Sweden writes dates as ISO 8601 does.
  const today = Date.parse(new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date())) / 86_400_000;
  /** @param {number} day */
  const date = (day) => ({ date: new Date(day * 86_400_000).toISOString().slice(0, 10) });
  return { summary, start: date(today + inDays), end: date(today + inDays + days) };
}

/**
 * A zone in which it is morning just now: "in an hour" is today there, whenever the test runs.
 *
 * @param {number} [hour] that its clocks show
 */
export function morning(hour = 9) {
  const ahead = ((hour - new Date().getUTCHours() + 36) % 24) - 12;
  // The sign is the other way round in these names.
  return ahead === 0 ? 'Etc/GMT' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

export const google = {
  /** @param {string} user of the demo, such as alice */
  accountOf: (user) => `${user}@example.com`,

  /**
   * A person at Google's own calendar. `calendar` is a Google id, or `primary`.
   *
   * @param {string} user
   */
  as(user) {
    const account = google.accountOf(user);
    /**
     * @param {string} method
     * @param {string} path
     * @param {unknown} [body]
     */
    const call = async (method, path, body) => {
      const authorization = `Bearer ${await accessToken(account)}`;
      return ask(method, `${stack.emulatorUrl}/calendar/v3${path}`, { body, headers: { authorization } });
    };
    /**
     * @param {string} calendar
     * @param {string} [event]
     */
    const at = (calendar, event) =>
      `/calendars/${encodeURIComponent(calendar)}/events${event ? `/${encodeURIComponent(event)}` : ''}`;
    return {
      account,
      /**
       * @param {Record<string, unknown>} event
       * @param {string} [calendar]
       * @returns {Promise<GoogleEvent>}
       */
      insert: (event, calendar = 'primary') => call('POST', `${at(calendar)}?conferenceDataVersion=1`, event),
      /**
       * An event, or an instance of a series: `<id>_20261122T090000Z`.
       *
       * @param {string} id
       * @param {Record<string, unknown>} patch
       * @param {string} [calendar]
       * @returns {Promise<GoogleEvent>}
       */
      patch: (id, patch, calendar = 'primary') => call('PATCH', at(calendar, id), patch),
      /**
       * @param {string} id
       * @param {string} [calendar]
       */
      delete: (id, calendar = 'primary') => call('DELETE', at(calendar, id)),
      /**
       * Later or earlier, by minutes.
       *
       * @param {string} id
       * @param {number} minutes
       * @param {string} [calendar]
       * @returns {Promise<GoogleEvent>}
       */
      async move(id, minutes, calendar = 'primary') {
        const event = await call('GET', at(calendar, id));
        /** @param {{ dateTime: string }} time */
        const later = (time) => ({
          ...time,
          dateTime: new Date(Date.parse(time.dateTime) + minutes * 60_000).toISOString(),
        });
        return call('PATCH', at(calendar, id), { start: later(event.start), end: later(event.end) });
      },
      /** Withdraws what was granted to Calwire, as in the Google account's settings. */
      revoke: () => google.admin('POST', '/revoke', { user: account }),
    };
  },

  /**
   * The emulator's admin API: crates/google-emulator/src/admin.rs has the table.
   *
   * @param {string} method
   * @param {string} path below `/_emulator`
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  admin: (method, path, body) => ask(method, `${stack.emulatorUrl}/_emulator${path}`, { body }),
};

/**
 * A token that leaves the account's consents as they are.
 *
 * @param {string} user
 * @returns {Promise<string>}
 */
async function accessToken(user) {
  const scopes = 'https://www.googleapis.com/auth/calendar';
  return (await google.admin('POST', '/tokens', { user, scopes, refresh: false })).access_token;
}
