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
