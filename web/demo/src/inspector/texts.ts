// Texts for the codes of the API.

import type { ConnectionState, Mode, SyncRound } from '@calwire/client';

export const CAUSES: Record<SyncRound['cause'], { name: string; meaning: string }> = {
  push: { name: 'Push', meaning: 'Google announced a change' },
  poll: { name: 'Poll', meaning: 'The polling interval had passed' },
  opening: { name: 'Opened', meaning: 'A page was opened, and the last pull was not recent' },
  person: { name: 'Sync now', meaning: 'The user requested it' },
  watch: { name: 'Watch', meaning: 'A new watch channel was opened; the pull covers changes before it' },
  first: { name: 'First', meaning: 'The calendar was read for the first time' },
};

export const MODES: Record<Mode, { name: string; meaning: string }> = {
  push: { name: 'Push', meaning: 'Google announces every change' },
  polling: { name: 'Polling', meaning: 'Google is polled at an interval' },
  stale: { name: 'Behind', meaning: 'Older than it should be; it is being updated' },
  paused: { name: 'Paused', meaning: 'No updates until the user acts or a limit expires' },
};

/** The new state of an account, to be read after “An account”. */
export const STATE_TEXTS: Record<ConnectionState, string> = {
  healthy: 'is in order',
  importing: 'is being read for the first time',
  delayed: 'is delayed and being retried',
  reauth_required: 'has to be connected again',
  scope_missing: 'is connected without the calendar',
  calendar_off: 'has Google Calendar turned off',
  disconnected: 'was disconnected',
};

const ERRORS = new Map<string, string>(
  Object.entries({
    transient: 'Google could not be reached for a moment. Retrying.',
    rate_limited: 'Google limited the request rate. Calwire continues by itself.',
    quota_spent: 'Google’s daily quota is used up. Calwire continues when Google allows more.',
    unauthorized: 'Google rejected the access token. Retrying with a new one.',
    reauth_required: 'Google ended the access. Connect the account again.',
    grant_suspect: 'Google may have ended the access. This is being verified.',
    scope_missing: 'The calendar was not ticked on Google’s page. Connect again and leave it ticked.',
    calendar_off: 'Google Calendar is turned off for this account. Calwire looks again every hour.',
    disconnected: 'The account is disconnected.',
    client_misconfigured: 'Google rejected this installation’s OAuth client.',
    tokens_unreadable: 'The stored tokens cannot be decrypted: a key in TOKEN_KEYS is missing.',
    refused: 'Google rejected the request. Retrying with increasing delays.',
    sync_token_refused: 'Google did not accept the sync token. All events are being listed again.',
    listing_restarted: 'The listing was interrupted and started again.',
    endless_listing: 'Google’s list did not end. Retrying.',
    sweep_held: 'Most events were missing from Google’s list. They are removed only if a second list confirms it.',
    access_doubtful: 'Google refused this calendar once. It is hidden only if Google does so again.',
    page_timed_out: 'Google did not send a page in time. If it happens again, smaller pages are requested.',
    token_endpoint: 'Google gave no access token. Retrying with increasing delays.',
    access_lost: 'The account does not have access to this calendar any more.',
    database: 'The database could not store the result. Retrying.',
    lease_lost: 'Another worker took over.',
    worker_lost: 'The worker stopped during the pull, more than once. Retrying with increasing delays.',
  }),
);

export function errorOf(word: string): string {
  return ERRORS.get(word) ?? `Retrying (${word.replaceAll('_', ' ')}).`;
}
