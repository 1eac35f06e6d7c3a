import { TRPCClientError } from '@trpc/client';

/** Codes of failures after which the server may still have applied the request. */
export const AMBIGUOUS: ReadonlySet<string> = new Set([
  'NETWORK',
  'TIMEOUT',
  'INTERNAL_SERVER_ERROR',
  'BAD_GATEWAY',
  'SERVICE_UNAVAILABLE',
  'GATEWAY_TIMEOUT',
]);

/** Codes of failures that may succeed on retry. */
const RETRYABLE = new Set([...AMBIGUOUS, 'TOO_MANY_REQUESTS', 'CLIENT_CLOSED_REQUEST']);

interface ErrorOptions {
  reason?: string | undefined;
  data?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** A failure whose message can be shown to the user. */
export class CalwireError extends Error {
  override readonly name = 'CalwireError';
  /** tRPC's error code, such as `UNAUTHORIZED`; `NETWORK` when there was no response. */
  readonly code: string;
  /** A more specific code, such as `CALENDAR_NOT_CONNECTED`. */
  readonly reason: string | undefined;
  /** Further details from the server: `issues` of the input, the two sides of a conflict. */
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.reason = options.reason;
    this.data = options.data;
  }

  /** A later attempt may succeed. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }

  /** The user has to sign in (again). */
  get isSignedOut(): boolean {
    return this.code === 'UNAUTHORIZED' && this.reason === undefined;
  }

  /** Converts any failure of a call. */
  static of(error: unknown): CalwireError {
    if (error instanceof CalwireError) return error;
    if (!(error instanceof TRPCClientError)) return unreachable(error);
    if (error.cause instanceof CalwireError) return error.cause;
    const data = error.data as Record<string, unknown> | null | undefined;
    const code = data?.['code'];
    if (!data || typeof code !== 'string') return unreachable(error);
    const reason = typeof data['reason'] === 'string' ? data['reason'] : undefined;
    return new CalwireError(code, messageOf(code, error.message), { reason, data, cause: error });
  }
}

export function signedOut(): CalwireError {
  return new CalwireError('UNAUTHORIZED', 'You are signed out. Sign in to see your calendar.');
}

function unreachable(cause: unknown): CalwireError {
  return new CalwireError('NETWORK', 'The calendar service cannot be reached right now.', { cause });
}

function messageOf(code: string, message: string): string {
  switch (code) {
    case 'TOO_MANY_REQUESTS':
      return 'Too many requests. Please wait a moment.';
    case 'INTERNAL_SERVER_ERROR':
      return 'The calendar service has a problem right now.';
    default:
      return message === code ? 'The calendar service refused this request.' : message;
  }
}
