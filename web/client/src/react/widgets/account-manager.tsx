import { type ReactElement, useState } from 'react';

import type { DeleteData, DisconnectReceipt } from '../../generated/types.js';
import { useAccounts } from '../hooks/index.js';
import { AccountCard } from './account-card.js';
import { DeletedReceipt, DisconnectedReceipts } from './account-receipts.js';
import { Frame, useMoment, useWords, type WidgetProps } from './base.js';
import { FreshnessLine } from './freshness-line.js';
import { ConnectButton, FailureNotice, Notice, Obstacle, obstacleOf } from './notices.js';
import { YourData } from './your-data.js';

export interface AccountManagerProps extends Omit<WidgetProps, 'calendarIds'> {
  /** The path to come back to from Google's consent page. */
  returnTo?: string | undefined;
}

/** What the server said that it did, until the person has read it. */
type Told = { what: 'disconnected'; receipts: DisconnectReceipt[] } | { what: 'deleted'; receipt: DeleteData } | null;

/** The Google accounts with their calendars: connect, bring back, choose, disconnect; and the person's own data. */
export function AccountManager({ returnTo, ...props }: AccountManagerProps): ReactElement {
  const words = useWords(props);
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

function ManagerSkeleton({ label }: { label: string }): ReactElement {
  return (
    <div className="calwire-manager-account calwire-skeleton">
      <p className="calwire-hidden">{label}</p>
      <span className="calwire-bone calwire-bone-title" style={{ inlineSize: '45%' }} />
      {[60, 45, 70].map((width) => (
        <div key={width} className="calwire-choice">
          <span className="calwire-bone" style={{ inlineSize: `${width}%` }} />
        </div>
      ))}
    </div>
  );
}
