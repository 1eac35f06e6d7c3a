import { type GetAuthToken, tokenOf, trpcUrl } from './api.js';

export interface KeepaliveSenderOptions {
  apiUrl: string;
  userId: string;
  getAuthToken: GetAuthToken;
}

/**
 * Sends requests while the page closes or the user signs out. Fetching a token would take too long then, so it keeps the
 * token of the latest call.
 */
export class KeepaliveSender {
  readonly #options: KeepaliveSenderOptions;
  #token: string | undefined;

  constructor(options: KeepaliveSenderOptions) {
    this.#options = options;
  }

  readonly getToken = async (): Promise<string> => {
    const { userId, getAuthToken } = this.#options;
    return (this.#token = await tokenOf(userId, getAuthToken));
  };

  /** Fetches a fresh token for a later `send`. */
  prepare(): void {
    this.getToken().catch(() => undefined);
  }

  send(procedure: string, input: unknown): void {
    if (this.#token === undefined) return;
    // With `keepalive` the browser completes the request after the page is gone.
    fetch(`${trpcUrl(this.#options.apiUrl)}/${procedure}`, {
      method: 'POST',
      keepalive: true,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify(input),
    }).catch(() => undefined);
  }
}
