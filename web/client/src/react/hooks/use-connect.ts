import type { ConnectAnswer } from './answers.js';
export function useConnect(): ConnectAnswer {
  return { connect: () => Promise.resolve(), disconnect: () => Promise.resolve(), isPending: false, error: null };
}
