// Centrifugo's HTTP API, for messages that Calwire never sends.

import { request, stack } from './stack.mjs';

export const broker = {
  /**
   * Publishes to a user's channel, bypassing Calwire.
   *
   * @param {string} user
   * @param {unknown[]} messages
   */
  async publish(user, messages) {
    const channel = `calendar:${user}`;
    const commands = messages.map((data) => ({ publish: { channel, data } }));
    const headers = { 'x-api-key': stack.centrifugoApiKey };
    const { replies } = await request('POST', `${stack.centrifugoApiUrl}/batch`, { body: { commands }, headers });
    const failed = replies.find((/** @type {{ error?: unknown }} */ { error }) => error);
    if (failed) throw new Error(`Centrifugo refused a message: ${JSON.stringify(failed)}`);
  },
};
