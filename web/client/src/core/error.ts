import { TRPCClientError } from '@trpc/client';

/** Codes of answers that a later try may change. */
const PASSING = new Set([
  'NETWORK',
  'TIMEOUT',
  'TOO_MANY_REQUESTS',
  'CLIENT_CLOSED_REQUEST',
  'INTERNAL_SERVER_ERROR',
  'BAD_GATEWAY',
  'SERVICE_UNAVAILABLE',
  'GATEWAY_TIMEOUT',
]);

/** What went wrong, in words that can be shown to a person. */
export class CalwireError extends Error {
  override readonly name = 'CalwireError';
  /** tRPC's name of the error, such as `UNAUTHORIZED`; `NETWORK` when there was no answer at all. */
  readonly code: string;
  /** A word for programs that says more than the code, such as `CALENDAR_NOT_CONNECTED`. */
  readonly reason?: string;

  constructor(code: string, message: string, options: { reason?: string | undefined; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    if (options.reason !== undefined) this.reason = options.reason;
  }

  /** Trying again later may help. */
  get retryable(): boolean {
    return PASSING.has(this.code);
  }

  /** Any failure of a call as one of ours. */
  static of(error: unknown): CalwireError {
    if (error instanceof CalwireError) return error;
    const data = error instanceof TRPCClientError ? (error.data as { code?: unknown; reason?: unknown } | null) : null;
    if (typeof data?.code === 'string') {
      const reason = typeof data.reason === 'string' ? data.reason : undefined;
      return new CalwireError(data.code, sentence(data.code, (error as Error).message), { reason, cause: error });
    }
    return new CalwireError('NETWORK', 'The calendar service cannot be reached right now.', { cause: error });
  }
}

function sentence(code: string, message: string): string {
  if (code === 'UNAUTHORIZED' && message === code) return 'You are signed out. Sign in again to see your calendar.';
  if (code === 'TOO_MANY_REQUESTS') return 'Too many requests at once. It is tried again in a moment.';
  if (message === code || code === 'INTERNAL_SERVER_ERROR') return 'The calendar service has a problem right now.';
  return message;
}
