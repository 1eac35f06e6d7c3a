import type { CalwireError } from '../../core/error.js';
import type { LiveState } from '../../core/live-state.js';
export function useCentrifugo<T>(
  _channel: string | null,
  _onMessage: (data: T, ctx: { offset?: number }) => void,
  _options?: { getToken?: (channel: string) => Promise<string> },
): { state: LiveState; error: CalwireError | null; retry(): void } {
  return { state: 'connecting', error: null, retry: () => undefined };
}
