import { useMemo, useSyncExternalStore } from 'react';

import { Ticker } from '../../core/ticker.js';

const tickers = new Map<number, Ticker>();

function tickerOf(period: number): Ticker {
  let ticker = tickers.get(period);
  if (!ticker) {
    ticker = new Ticker(period);
    tickers.set(period, ticker);
  }
  return ticker;
}

/** The current time, updated at each multiple of `granularityMs` while the page is visible. Default: every second. */
export function useNow(granularityMs = 1000): Date {
  const ticker = tickerOf(granularityMs);
  const now = useSyncExternalStore(ticker.subscribe, ticker.now, ticker.now);
  return useMemo(() => new Date(now), [now]);
}
