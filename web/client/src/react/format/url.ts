const SCHEMES = new Set(['http:', 'https:', 'mailto:', 'tel:']);

/**
 * The URL if it is safe to link, else null. Event texts come from anyone who sends an invitation, so only schemes that cannot
 * run scripts are allowed.
 */
export function safeUrl(text: string | null | undefined): string | null {
  if (!text) return null;
  try {
    const url = new URL(text.trim());
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

const MEETING_HOSTS: readonly (readonly [suffix: string, name: string])[] = [
  ['meet.google.com', 'Google Meet'],
  ['zoom.us', 'Zoom'],
  ['zoomgov.com', 'Zoom'],
  ['teams.microsoft.com', 'Microsoft Teams'],
  ['teams.live.com', 'Microsoft Teams'],
  ['webex.com', 'Webex'],
  ['whereby.com', 'Whereby'],
  ['meet.jit.si', 'Jitsi'],
];

export interface Meeting {
  url: string;
  /** The provider, if the host name is known. */
  provider: string | null;
}

/** The event's meeting, if it has a safe URL. */
export function meetingOf(event: { conferenceUrl: string | null }): Meeting | null {
  const url = safeUrl(event.conferenceUrl);
  if (!url) return null;
  const { hostname } = new URL(url);
  const known = MEETING_HOSTS.find(([suffix]) => hostname === suffix || hostname.endsWith(`.${suffix}`));
  return { url, provider: known?.[1] ?? null };
}
