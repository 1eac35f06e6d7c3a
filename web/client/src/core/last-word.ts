import { type ApiOptions, tokenOf, trpcUrl } from './api.js';

/** A call while the page goes: nothing can be waited for then, so the token has to be there before. */
export class LastWord {
  readonly #options: ApiOptions;
  #token: string | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  prepare(): void {
    tokenOf(this.#options.userId, this.#options.getAuthToken).then(
      (token) => (this.#token = token),
      () => undefined,
    );
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
