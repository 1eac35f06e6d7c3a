/** Opens a URL in place of this page. */
export function navigate(url: string): void {
  window.location.assign(url);
}

/** The current path of the application, without the result of an earlier consent flow. */
export function here(): string {
  const { pathname, search, hash } = window.location;
  const query = new URLSearchParams(search);
  query.delete('calwire');
  query.delete('calwire_reason');
  const rest = query.toString();
  return pathname + (rest && `?${rest}`) + hash;
}

/** The outcome of a consent flow that returned to this page. */
export interface ConnectOutcome {
  status: 'connected' | 'denied' | 'error';
  /** The server's codes, as `calendar.google.connect` documents them. With `connected` there may be several. */
  reasons: string[];
}

/**
 * The outcome of the consent flow that returned to this page, or null. It is removed from the URL, so that a reload does
 * not show it again. Call it once, before rendering.
 */
export function takeConnectOutcome(): ConnectOutcome | null {
  const url = new URL(window.location.href);
  const status = url.searchParams.get('calwire');
  const reasons = url.searchParams.getAll('calwire_reason');
  if (status === null) return null;
  url.searchParams.delete('calwire');
  url.searchParams.delete('calwire_reason');
  window.history.replaceState(window.history.state, '', url);
  return status === 'connected' || status === 'denied' || status === 'error' ? { status, reasons } : null;
}
