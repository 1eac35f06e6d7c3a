import { type ReactElement, useState } from 'react';

import type { DeleteData, DisconnectReceipt } from '../../generated/types.js';
import { useAccounts } from '../hooks/index.js';
import { AccountCard } from './account-card.js';
import { DeletedReceipt, DisconnectedReceipts } from './account-receipts.js';
import { ManagerSkeleton } from './account-skeleton.js';
import { Frame, useMoment, type WidgetProps } from './base.js';
import { FreshnessLine } from './freshness-line.js';
import { useManagerWords } from './manager-words.js';
import { ConnectButton, FailureNotice, Notice, Obstacle, obstacleOf } from './notices.js';
import { YourData } from './your-data.js';

export interface AccountManagerProps extends Omit<WidgetProps, 'calendarIds'> {
  /** The path to return to from Google's consent page. */
  returnTo?: string | undefined;
}

/** The server's receipts, shown until the user closes them. */
type Receipt =
  { what: 'disconnected'; receipts: DisconnectReceipt[] } | { what: 'deleted'; receipt: DeleteData } | null;

export default function AccountManagerContent({ returnTo, ...props }: AccountManagerProps): ReactElement {
  const words = useManagerWords(props);
  const { labels, Heading } = words;
  const moment = useMoment(words.formats);
  const result = useAccounts();
  const [receipt, setReceipt] = useState<Receipt>(null);
  const obstacle = obstacleOf(result);
  const shut = obstacle === 'signedOut' || obstacle === 'failed';
  const close = () => {
    setReceipt(null);
  };

  return (
    <Frame
      name="manager"
      label={labels.manageAccounts}
      busy={result.isLoading}
      className={props.className}
      style={props.style}
    >
      <header className="calwire-manager-head">
        <div>
          <Heading className="calwire-manager-title">{labels.manageAccounts}</Heading>
          <p className="calwire-quiet">{labels.manageAccountsLead}</p>
        </div>
        {result.accounts.length > 0 && (
          <ConnectButton labels={labels} text={labels.addAccount} returnTo={returnTo} quiet />
        )}
      </header>
      <div role="status" className="calwire-manager-receipt">
        {receipt?.what === 'disconnected' && (
          <DisconnectedReceipts receipts={receipt.receipts} moment={moment} words={words} onClose={close} />
        )}
        {receipt?.what === 'deleted' && (
          <DeletedReceipt receipt={receipt.receipt} moment={moment} words={words} onClose={close} />
        )}
      </div>
      {!shut && <FailureNotice result={result} labels={labels} />}
      {shut ? (
        <Obstacle result={result} labels={labels} returnTo={returnTo} />
      ) : result.isLoading ? (
        <ManagerSkeleton label={labels.loading} />
      ) : result.accounts.length === 0 ? (
        <Notice title={labels.noAccountsTitle} text={labels.noAccounts}>
          <ConnectButton labels={labels} text={labels.connect} returnTo={returnTo} />
        </Notice>
      ) : (
        <ul className="calwire-manager-accounts">
          {result.accounts.map((account) => (
            <li key={account.id}>
              <AccountCard
                account={account}
                moment={moment}
                words={words}
                returnTo={returnTo}
                onDisconnected={({ receipts }) => {
                  setReceipt({ what: 'disconnected', receipts });
                }}
              />
            </li>
          ))}
        </ul>
      )}
      {!shut && (
        <YourData
          words={words}
          moment={moment}
          onDeleted={(deleted) => {
            setReceipt({ what: 'deleted', receipt: deleted });
          }}
        />
      )}
      {obstacle !== 'signedOut' && (
        <FreshnessLine result={result} hasContent={result.accounts.length > 0} moment={moment} words={words} />
      )}
    </Frame>
  );
}
