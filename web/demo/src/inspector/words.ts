// The words of the server, for a person.

import type { ConnectionState, Mode, SyncRound } from '@calwire/client';

export const CAUSES: Record<SyncRound['cause'], { name: string; meaning: string }> = {
  push: { name: 'Push', meaning: 'Google said that something changed' },
  poll: { name: 'Poll', meaning: 'It was time to ask Google' },
  opening: { name: 'Opened', meaning: 'Somebody opened the page, and it had been a while' },
  person: { name: 'Sync now', meaning: 'Somebody asked for it' },
  watch: { name: 'Watch', meaning: 'A new watch channel began; what it may have missed was asked for' },
  first: { name: 'First', meaning: 'The calendar was read for the first time' },
};

export const MODES: Record<Mode, { name: string; meaning: string }> = {
  push: { name: 'Push', meaning: 'Google tells of every change' },
  polling: { name: 'Polling', meaning: 'Google is asked every now and then' },
  stale: { name: 'Behind', meaning: 'Older than it should be; work on it is going on' },
  paused: { name: 'Paused', meaning: 'Nothing changes until somebody acts, or a limit ends' },
};

/** What an account became, to be read after “An account”. */
export const BECAME: Record<ConnectionState, string> = {
  healthy: 'is in order',
  importing: 'is being read for the first time',
  delayed: 'is behind, and tried again',
  reauth_required: 'has to be connected again',
  scope_missing: 'is connected without the calendar',
  disconnected: 'was disconnected',
};

const ERRORS: Record<string, string> = {
  transient: 'Google could not be reached for a moment. It is being tried again.',
  rate_limited: 'Google asked for a pause. It goes on by itself.',
  quota_spent: 'Google’s quota of the day is spent. It goes on when Google allows more.',
  unauthorized: 'Google refused the access token. It is being tried again with a new one.',
  reauth_required: 'Google ended the access. Connect the account again.',
  grant_suspect: 'Google may have ended the access; that is being confirmed.',
  scope_missing: 'The calendar was not ticked on Google’s page. Connect again and leave it ticked.',
  disconnected: 'The account is disconnected.',
  client_misconfigured: 'Google does not accept this installation’s OAuth client.',
  tokens_unreadable: 'The stored access cannot be opened: a key in TOKEN_KEYS is missing.',
  refused: 'Google refused the request. It is being tried again now and then.',
  sync_token_refused: 'Google did not accept where we left off. Everything is being listed anew.',
  listing_restarted: 'The listing began anew, because it ended in the middle.',
  endless_listing: 'Google’s list did not end. It is being tried again.',
  sweep_held: 'Most of the calendar was missing from Google’s list. A second list has to agree before it is taken out.',
  access_lost: 'Google does not show this calendar to the account any more.',
  database: 'The database could not store it. It is being tried again.',
  lease_lost: 'Another worker took over.',
  worker_lost: 'Whoever read it did not come back, more than once. It is being tried again, ever less often.',
};

export function errorOf(word: string): string {
  return ERRORS[word] ?? `It is being tried again (${word.replaceAll('_', ' ')}).`;
}
