// Calwire's API without a browser, to compare a page with.

import { control } from './control.mjs';
import { google } from './google.mjs';
import { request, stack } from './stack.mjs';

export const calwire = {
  /**
   * The API as the page calls it.
   *
   * @param {string} user
   */
  as(user) {
    const authorized = async () => ({ authorization: `Bearer ${await control.token(user, 60)}` });
    return {
      /**
       * @param {string} procedure
       * @param {unknown} [input]
       * @returns {Promise<any>}
       */
      async query(procedure, input) {
        const query = input === undefined ? '' : `?${new URLSearchParams({ input: JSON.stringify(input) })}`;
        const headers = await authorized();
        return (await request('GET', `${stack.webUrl}/trpc/${procedure}${query}`, { headers })).result.data;
      },
      /**
       * @param {string} procedure
       * @param {unknown} [input]
       * @returns {Promise<any>}
       */
      async mutate(procedure, input) {
        const headers = await authorized();
        return (await request('POST', `${stack.webUrl}/trpc/${procedure}`, { body: input ?? null, headers })).result
          .data;
      },
    };
  },

  /**
   * Adds a user for one test, connects it to a Google account of the same name, and waits until everything is imported and
   * watched. Returns the person at Google.
   *
   * @param {string} user
   * @param {{ calendars?: Record<string, unknown>[] }} [options] as in a seed file of the emulator
   */
  async newUser(user, options) {
    await control.addUser(user, options);
    await control.connect(user);
    await control.settled(user);
    return google.as(user);
  },
};
