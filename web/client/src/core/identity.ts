import { type GetAuthToken, subjectOf } from './api.js';
import { CalwireError } from './error.js';
import { Store } from './store.js';

/** The signed-in user, by the application's tokens. */
export interface SignedInUser {
  /** undefined: not known yet. null: signed out. */
  userId: string | null | undefined;
  error: CalwireError | null;
}

const RETRY_AFTER = 5_000;

export class Identity {
  readonly user = new Store<SignedInUser>({ userId: undefined, error: null });
  #getAuthToken: GetAuthToken;
  /** The token of the user who signed out here. The application may keep returning it for a while. */
  #signedOutToken: string | null | undefined;
  #token: string | null | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(getAuthToken: GetAuthToken) {
    this.#getAuthToken = getAuthToken;
  }

  setSource(getAuthToken: GetAuthToken): void {
    this.#getAuthToken = getAuthToken;
  }

  /** Gets the application's token, and notices when its user has changed. */
  readonly getAuthToken = async (): Promise<string | null | undefined> => {
    const token = await this.#getAuthToken();
    this.#notice(token);
    return token;
  };

  /** Checks who is signed in, now and whenever the page becomes visible. */
  watch(): () => void {
    const check = () => {
      if (!document.hidden) void this.check();
    };
    document.addEventListener('visibilitychange', check);
    addEventListener('focus', check);
    void this.check();
    return () => {
      document.removeEventListener('visibilitychange', check);
      removeEventListener('focus', check);
      clearTimeout(this.#retry);
    };
  }

  async check(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.getAuthToken();
    } catch (cause) {
      const error = new CalwireError('NETWORK', 'Could not check who is signed in.', { cause });
      this.user.set({ ...this.user.get(), error });
      this.#retry = setTimeout(() => void this.check(), RETRY_AFTER);
    }
  }

  /** Ignores the current token: signed out until the application returns another one. */
  signOut(): void {
    this.#signedOutToken = this.#token;
    this.user.set({ userId: null, error: null });
  }

  #notice(token: string | null | undefined): void {
    this.#token = token;
    const userId = this.#userOf(token);
    const before = this.user.get();
    if (userId !== before.userId || before.error) this.user.set({ userId, error: this.#problem(token) });
  }

  #userOf(token: string | null | undefined): string | null {
    if (!token || token === this.#signedOutToken) return null;
    this.#signedOutToken = undefined;
    return subjectOf(token) ?? null;
  }

  #problem(token: string | null | undefined): CalwireError | null {
    if (!token || subjectOf(token) !== undefined) return null;
    return new CalwireError(
      'BAD_REQUEST',
      'The token from getAuthToken is not a JWT with a subject: set userId on CalwireProvider.',
    );
  }
}
