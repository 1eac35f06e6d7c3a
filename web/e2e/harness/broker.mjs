// Centrifugo's own API: messages that Calwire never sends.

import { ask, stack } from './stack.mjs';

export const broker = {
  /**
   * Publishes to a user's channel, past Calwire.
   *
   * @param {string} user
   * @param {unknown[]} messages
   */
  async publish(user, messages) {
    const channel = `calendar:${user}`;
    const commands = messages.map((data) => ({ publish: { channel, data } }));
    const headers = { 'x-api-key': stack.centrifugoApiKey };
    const { replies } = await ask('POST', `${stack.centrifugoApiUrl}/batch`, { body: { commands }, headers });
    const failed = replies.find((/** @type {{ error?: unknown }} */ { error }) => error);
    if (failed) throw new Error(`Centrifugo refused a message: ${JSON.stringify(failed)}`);
  },
};
