// The URL: the signed-in user (`?user=`) and the view (`#week`).

import { useSyncExternalStore } from 'react';

export const VIEWS = ['overview', 'week', 'month', 'accounts', 'inspector'] as const;
export type View = (typeof VIEWS)[number];

export interface Address {
  user: string | null;
  view: View;
}

const MOVED = 'calwire-demo:moved';

function subscribe(listener: () => void): () => void {
  const kinds = ['popstate', 'hashchange', MOVED];
  for (const kind of kinds) window.addEventListener(kind, listener);
  return () => {
    for (const kind of kinds) window.removeEventListener(kind, listener);
  };
}

export function useAddress(): Address {
  const href = useSyncExternalStore(subscribe, () => window.location.href);
  return parse(href);
}

function parse(href: string): Address {
  const url = new URL(href);
  const name = url.hash.slice(1);
  return {
    user: url.searchParams.get('user') || null,
    view: VIEWS.find((view) => view === name) ?? 'overview',
  };
}

export function addressOf({ user, view }: Address): string {
  const query = user === null ? '' : `?${new URLSearchParams({ user }).toString()}`;
  const hash = view === 'overview' ? '' : `#${view}`;
  return `/${query}${hash}`;
}

export function navigate(to: Address): void {
  window.history.pushState(null, '', addressOf(to));
  window.dispatchEvent(new Event(MOVED));
}

/** The path to which a consent flow returns: the current one. */
export function here(): string {
  return addressOf(parse(window.location.href));
}
