import type { GrantEnd } from '../../generated/types.js';

type Role = 'owner' | 'writer' | 'writerWithoutPrivateAccess' | 'reader' | 'freeBusyReader';

/** Texts about accounts and the user's stored data. */
export interface AccountLabels {
  manageAccountsLead: string;
  addAccount: string;
  noAccountsTitle: string;
  noAccounts: string;
  calendarsOf: (account: string) => string;
  /** By Google's names of the roles. */
  roles: Record<Role, string>;
  notShown: string;
  readOnlyAccount: string;
  /** The selection of a calendar was reverted. */
  notChanged: (reason: string) => string;

  disconnect: string;
  disconnectTitle: (account: string) => string;
  /** The effects of disconnecting, one sentence each. */
  disconnectSteps: (calendars: number) => readonly string[];
  keepAccount: string;
  disconnecting: string;

  // The server's receipts.
  disconnectedTitle: (account: string) => string;
  channelsEnded: (stopped: number, left: number) => string;
  grantEnded: Record<GrantEnd, string>;
  dataDeleted: (calendars: number, events: number) => string;
  dataDeletedBy: (calendars: number, events: number, time: string) => string;

  yourData: string;
  exportData: string;
  exportHint: string;
  exporting: string;
  exported: (file: string) => string;
  deleteData: string;
  deleteHint: string;
  deleteTitle: string;
  /** The effects of deleting, one sentence each. */
  deleteSteps: readonly string[];
  /** The word that the user must type to confirm. */
  deleteWord: string;
  typeToDelete: (word: string) => string;
  deleteForGood: string;
  deleting: string;
  keepData: string;
  deletedTitle: string;
  deletionBegun: string;
  nothingKept: string;
  grantsLeft: (count: number) => string;
}

const plural = (count: number, one: string, many: string) =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
const copies = (calendars: number, events: number) =>
  `${plural(calendars, 'calendar', 'calendars')} with ${plural(events, 'event', 'events')}`;

export const englishAccountLabels: AccountLabels = {
  manageAccountsLead: 'What Calwire reads, how current it is, and how to disconnect.',
  addAccount: 'Add another account',
  noAccountsTitle: 'No Google account is connected',
  noAccounts: 'Connect one, and its calendars show up here by themselves.',
  calendarsOf: (account) => `Calendars of ${account}`,
  roles: {
    owner: 'Yours',
    writer: 'You may edit',
    writerWithoutPrivateAccess: 'You may edit, except private events',
    reader: 'Read only',
    freeBusyReader: 'Busy times only',
  },
  notShown: 'Not shown',
  readOnlyAccount: 'Its events can be seen here, not changed. Reconnect and tick the box for events to change them.',
  notChanged: (reason) => `Not changed. ${reason}`,

  disconnect: 'Disconnect',
  disconnectTitle: (account) => `Disconnect ${account}?`,
  disconnectSteps: (calendars) => [
    calendars === 0
      ? 'Nothing is read from this account any more.'
      : `Nothing is read from this account any more, and its ${plural(calendars, 'calendar goes', 'calendars go')} from here at once.`,
    'Google stops sending changes, and the access is revoked there. It is kept if someone else here uses the same Google account, or if your sign-in here depends on it.',
    'Everything that was copied from it is deleted within a minute.',
    'In Google itself nothing changes. You can connect it again at any time.',
  ],
  keepAccount: 'Keep it',
  disconnecting: 'Disconnecting…',

  disconnectedTitle: (account) => `${account} is disconnected`,
  channelsEnded: (stopped, left) =>
    [
      stopped > 0 && `Google no longer sends changes: ${plural(stopped, 'channel', 'channels')} stopped.`,
      left > 0 &&
        `${plural(left, 'channel is', 'channels are')} still to be stopped. Its messages are ignored, and Google ends it within a week.`,
    ]
      .filter(Boolean)
      .join(' '),
  grantEnded: {
    revoked: 'Google has confirmed that the access is revoked.',
    keptForOthers: 'The access at Google was kept: someone else here uses the same Google account.',
    kept: 'The access at Google was kept, because other parts of this application use it. Your Google account’s page of connected applications ends it.',
    endedBefore: 'The access at Google had ended before.',
    pending:
      'Google has not confirmed yet that the access is revoked. It is tried again for a day; your Google account’s page of connected applications ends it at once.',
  },
  dataDeleted: (calendars, events) => `${copies(calendars, events)} deleted here.`,
  dataDeletedBy: (calendars, events, time) => `${copies(calendars, events)} deleted here by ${time} at the latest.`,

  yourData: 'Your data',
  exportData: 'Export my data',
  exportHint: 'All your stored data as a JSON file.',
  exporting: 'Exporting…',
  exported: (file) => `${file} is downloaded.`,
  deleteData: 'Delete my data',
  deleteHint: 'Disconnects all accounts and deletes all your stored data.',
  deleteTitle: 'Delete all your stored data?',
  deleteSteps: [
    'All Google accounts are disconnected, and their access is revoked at Google.',
    'All copies of calendars and events, your choices of calendars and the history of changes are deleted for good.',
    'In Google itself nothing changes: your events stay there.',
  ],
  deleteWord: 'delete',
  typeToDelete: (word) => `Type “${word}” to continue`,
  deleteForGood: 'Delete for good',
  deleting: 'Deleting…',
  keepData: 'Keep my data',
  deletedTitle: 'Your data is deleted',
  deletionBegun: 'Your data is being deleted',
  nothingKept: 'Nothing is stored about you here any more.',
  grantsLeft: (count) =>
    `Only until Google has confirmed it, for a day at most, the access to ${plural(count, 'account', 'accounts')} is kept, to revoke it.`,
};
