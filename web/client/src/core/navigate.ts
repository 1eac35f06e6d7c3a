/** Leaves the page. */
export function navigate(url: string): void {
  window.location.assign(url);
}

/** Where the page is, as a path of the application, without what an earlier way back has left in it. */
export function here(): string {
  const { pathname, search, hash } = window.location;
  const query = new URLSearchParams(search);
  query.delete('calwire');
  query.delete('calwire_reason');
  const rest = query.toString();
  return pathname + (rest && `?${rest}`) + hash;
}
