import { type ReactElement, useMemo, useState } from 'react';

import type { DeleteData, DisconnectReceipt } from '../../generated/types.js';
import { useAccounts } from '../hooks/index.js';
import { AccountCard } from './account-card.js';
import { DeletedReceipt, DisconnectedReceipts } from './account-receipts.js';
import type { AccountManagerProps } from './account-manager.js';
import { englishAccountLabels, type ManagerWords } from './account-labels.js';
import { ManagerSkeleton } from './account-skeleton.js';
import { Frame, useMoment, useWords } from './base.js';
import { FreshnessLine } from './freshness-line.js';
import { ConnectButton, FailureNotice, Notice, Obstacle, obstacleOf } from './notices.js';
import { YourData } from './your-data.js';

/** What the server said that it did, until the person has read it. */
type Told = { what: 'disconnected'; receipts: DisconnectReceipt[] } | { what: 'deleted'; receipt: DeleteData } | null;

export default function AccountManagerContent({ returnTo, ...props }: AccountManagerProps): ReactElement {
  const words = useManagerWords(props);
  const { labels, Heading } = words;
  const moment = useMoment(words.formats);
  const answer = useAccounts();
  const [told, setTold] = useState<Told>(null);
  const obstacle = obstacleOf(answer);
  const shut = obstacle === 'signedOut' || obstacle === 'failed';
  const close = () => {
    setTold(null);
  };

  return (
    <Frame
      name="manager"
      label={labels.manageAccounts}
      busy={answer.isLoading}
      className={props.className}
      style={props.style}
    >
      <header className="calwire-manager-head">
        <div>
          <Heading className="calwire-manager-title">{labels.manageAccounts}</Heading>
          <p className="calwire-quiet">{labels.manageAccountsLead}</p>
        </div>
        {answer.accounts.length > 0 && (
          <ConnectButton labels={labels} text={labels.addAccount} returnTo={returnTo} quiet />
        )}
      </header>
      <div role="status" className="calwire-manager-told">
        {told?.what === 'disconnected' && (
          <DisconnectedReceipts receipts={told.receipts} moment={moment} words={words} onClose={close} />
        )}
        {told?.what === 'deleted' && (
          <DeletedReceipt receipt={told.receipt} moment={moment} words={words} onClose={close} />
        )}
      </div>
      {!shut && <FailureNotice answer={answer} labels={labels} />}
      {shut ? (
        <Obstacle answer={answer} labels={labels} returnTo={returnTo} />
      ) : answer.isLoading ? (
        <ManagerSkeleton label={labels.loading} />
      ) : answer.accounts.length === 0 ? (
        <Notice title={labels.noAccountsTitle} text={labels.noAccounts}>
          <ConnectButton labels={labels} text={labels.connect} returnTo={returnTo} />
        </Notice>
      ) : (
        <ul className="calwire-manager-accounts">
          {answer.accounts.map((account) => (
            <li key={account.id}>
              <AccountCard
                account={account}
                moment={moment}
                words={words}
                returnTo={returnTo}
                onDisconnected={({ receipts }) => {
                  setTold({ what: 'disconnected', receipts });
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
          onDeleted={(receipt) => {
            setTold({ what: 'deleted', receipt });
          }}
        />
      )}
      {obstacle !== 'signedOut' && (
        <FreshnessLine answer={answer} hasContent={answer.accounts.length > 0} moment={moment} words={words} />
      )}
    </Frame>
  );
}

/** The texts of this widget come with it, and not with every page. */
function useManagerWords(props: AccountManagerProps): ManagerWords {
  const words = useWords(props);
  return useMemo(() => ({ ...words, labels: { ...englishAccountLabels, ...words.labels } }), [words]);
}
