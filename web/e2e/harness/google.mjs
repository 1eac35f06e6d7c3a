// Google as the emulator plays it: a person's own changes through its Calendar API, and its admin API.

import { request, stack } from './stack.mjs';

/** @typedef {{ id: string, summary?: string, [field: string]: any }} GoogleEvent */

/**
 * A body of `google.as(…).insert`: an event that begins in `inMinutes`, on a whole minute.
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
 * As {@link timed}, for an all-day event, counted from today in `timeZone`: the page's date can differ from that of UTC.
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

/** The hour of UTC at which the file started. Asked again past the full hour, {@link morning} would name another zone. */
const HOUR = new Date().getUTCHours();

/**
 * A zone where it was morning when the file started: "in an hour" is today there, at any time of day and through any change
 * of clocks. It is the same one for a whole file.
 *
 * @param {number} [hour] on its clocks
 */
export function morning(hour = 9) {
  const ahead = ((hour - HOUR + 36) % 24) - 12;
  // These names have the opposite sign.
  return ahead === 0 ? 'Etc/GMT' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

export const google = {
  /** @param {string} user such as alice */
  accountOf: (user) => `${user}@example.com`,

  /**
   * A person who uses Google's own calendar. `calendar` is a Google id, or `primary`.
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
      return request(method, `${stack.emulatorUrl}/calendar/v3${path}`, { body, headers: { authorization } });
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
       * Moves an event by minutes, which may be negative.
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
      /** Revokes Calwire's grant, as in the Google account's settings. */
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
  admin: (method, path, body) => request(method, `${stack.emulatorUrl}/_emulator${path}`, { body }),
};

/**
 * An access token, without a change to what the account has consented to.
 *
 * @param {string} user
 * @returns {Promise<string>}
 */
async function accessToken(user) {
  const scopes = 'https://www.googleapis.com/auth/calendar';
  return (await google.admin('POST', '/tokens', { user, scopes, refresh: false })).access_token;
}
