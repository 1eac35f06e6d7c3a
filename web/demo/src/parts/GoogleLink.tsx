import { useSyncStatus } from '@calwire/client/react';

import type { Session } from '../session';
import { Icon } from './Icon';

interface GoogleLinkProps {
  session: Session;
  /** The page's main action, with a longer text. */
  primary?: boolean;
}

/** Opens the emulated or the real Google Calendar, to change events there. */
export function GoogleLink({ session, primary = false }: GoogleLinkProps) {
  const { connections } = useSyncStatus();
  const account = connections[0]?.email;
  const emulated = session.emulatorUrl !== null;
  const url = session.emulatorUrl === null ? 'https://calendar.google.com/' : pageOf(session.emulatorUrl, account);
  return (
    <a className={primary ? 'button primary' : 'button'} href={url} target="_blank" rel="noopener noreferrer">
      Open Google{emulated && ' (emulated)'}
      {primary && ' in a second window'}
      <Icon name="away" size={16} />
    </a>
  );
}

/** The emulator's page opens the account in the URL's hash. */
function pageOf(emulatorUrl: string, account: string | undefined): string {
  const url = new URL(emulatorUrl);
  if (account !== undefined) url.hash = encodeURIComponent(account);
  return url.href;
}
