import { type GetAuthToken, tokenOf, trpcUrl } from './api.js';

export interface LastWordOptions {
  apiUrl: string;
  userId: string;
  getAuthToken: GetAuthToken;
}

/** A call while the page or its user goes: nothing can be waited for then, so the token of any earlier call is kept. */
export class LastWord {
  readonly #options: LastWordOptions;
  #token: string | undefined;

  constructor(options: LastWordOptions) {
    this.#options = options;
  }

  readonly getToken = async (): Promise<string> => {
    const { userId, getAuthToken } = this.#options;
    return (this.#token = await tokenOf(userId, getAuthToken));
  };

  prepare(): void {
    this.getToken().catch(() => undefined);
  }

  say(procedure: string, input: unknown): void {
    if (this.#token === undefined) return;
    // The browser sends it even when the page is gone.
    fetch(`${trpcUrl(this.#options.apiUrl)}/${procedure}`, {
      method: 'POST',
      keepalive: true,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify(input),
    }).catch(() => undefined);
  }
}
