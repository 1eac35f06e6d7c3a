import { type GetAuthToken, subjectOf } from './api.js';
import { CalwireError } from './error.js';
import { Store } from './store.js';

/** Who is signed in, as the application's tokens say. */
export interface Who {
  /** undefined: not known yet. null: nobody. */
  userId: string | null | undefined;
  error: CalwireError | null;
}

const RETRY_AFTER = 5_000;

export class Identity {
  readonly who = new Store<Who>({ userId: undefined, error: null });
  #ask: GetAuthToken;
  /** The token of the one who signed out here; the application may go on handing it out for a while. */
  #left: string | null | undefined;
  #token: string | null | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: GetAuthToken) {
    this.#ask = ask;
  }

  askBy(ask: GetAuthToken): void {
    this.#ask = ask;
  }

  /** The application's token, looked at in passing. */
  readonly getAuthToken = async (): Promise<string | null | undefined> => {
    const token = await this.#ask();
    this.#notice(token);
    return token;
  };

  /** Looks who is signed in, now and whenever the page comes to the front. */
  watch(): () => void {
    const look = () => {
      if (!document.hidden) void this.check();
    };
    document.addEventListener('visibilitychange', look);
    addEventListener('focus', look);
    void this.check();
    return () => {
      document.removeEventListener('visibilitychange', look);
      removeEventListener('focus', look);
      clearTimeout(this.#retry);
    };
  }

  async check(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.getAuthToken();
    } catch (cause) {
      const error = new CalwireError('NETWORK', 'Who is signed in cannot be found out right now.', { cause });
      this.who.set({ ...this.who.get(), error });
      this.#retry = setTimeout(() => void this.check(), RETRY_AFTER);
    }
  }

  /** Takes nobody to be signed in until there is another token. */
  signOut(): void {
    this.#left = this.#token;
    this.who.set({ userId: null, error: null });
  }

  #notice(token: string | null | undefined): void {
    this.#token = token;
    const userId = this.#userOf(token);
    const before = this.who.get();
    if (userId !== before.userId || before.error) this.who.set({ userId, error: this.#problem(token) });
  }

  #userOf(token: string | null | undefined): string | null {
    if (!token || token === this.#left) return null;
    this.#left = undefined;
    return subjectOf(token) ?? null;
  }

  #problem(token: string | null | undefined): CalwireError | null {
    if (!token || subjectOf(token) !== undefined) return null;
    return new CalwireError(
      'BAD_REQUEST',
      'The token of getAuthToken is no JWT with a subject; give CalwireProvider a userId.',
    );
  }
}
