import type { ReactElement, ReactNode } from 'react';

import type { DeleteData, DisconnectReceipt } from '../../generated/types.js';
import { plainLine } from '../format/index.js';
import type { ManagerLabels, ManagerWords } from './manager-words.js';
import { Foreign, type Moment } from './base.js';
import { CloseIcon, icon } from './icons.js';

const CheckIcon = icon(<path d="m5 12.5 4.5 4.5L19 7.5" />);

interface ReceiptsProps {
  receipts: readonly DisconnectReceipt[];
  moment: Moment;
  words: ManagerWords;
  onClose: () => void;
}

/** The receipts of disconnected accounts. */
export function DisconnectedReceipts({ receipts, moment, words, onClose }: ReceiptsProps): ReactElement {
  const { labels } = words;
  const emails = receipts.map(({ email }) => plainLine(email)).join(', ');
  return (
    <ReceiptCard title={labels.disconnectedTitle(emails)} labels={labels} onClose={onClose}>
      {receipts.map((receipt) => (
        <Steps key={receipt.connectionId} steps={stepsOf(receipt, moment, words)} />
      ))}
    </ReceiptCard>
  );
}

interface DeletedProps {
  receipt: DeleteData;
  moment: Moment;
  words: ManagerWords;
  onClose: () => void;
}

export function DeletedReceipt({ receipt, moment, words, onClose }: DeletedProps): ReactElement {
  const { labels } = words;
  const { receipts, deleted, grantsLeft } = receipt;
  return (
    <ReceiptCard title={deleted ? labels.deletedTitle : labels.deletionBegun} labels={labels} onClose={onClose}>
      {receipts.map((each) => (
        <div key={each.connectionId}>
          <p className="calwire-account-name">
            <Foreign>{plainLine(each.email)}</Foreign>
          </p>
          <Steps steps={stepsOf(each, moment, words)} />
        </div>
      ))}
      <Steps steps={[deleted ? labels.nothingKept : '', grantsLeft > 0 ? labels.grantsLeft(grantsLeft) : '']} />
    </ReceiptCard>
  );
}

function stepsOf(
  { channels, grant, data }: DisconnectReceipt,
  moment: Moment,
  { formats, labels }: ManagerWords,
): string[] {
  const { calendars, events, deleted, deletedBy } = data;
  return [
    labels.channelsEnded(channels.stopped, channels.left),
    labels.grantEnded[grant],
    deleted
      ? labels.dataDeleted(calendars, events)
      : labels.dataDeletedBy(calendars, events, formats.moment(deletedBy, moment.now)),
  ];
}

function Steps({ steps }: { steps: readonly string[] }): ReactElement {
  return (
    <ul className="calwire-steps">
      {steps.filter(Boolean).map((step) => (
        <li key={step}>{step}</li>
      ))}
    </ul>
  );
}

interface ReceiptCardProps {
  title: string;
  labels: ManagerLabels;
  onClose: () => void;
  children: ReactNode;
}

function ReceiptCard({ title, labels, onClose, children }: ReceiptCardProps): ReactElement {
  return (
    <div className="calwire-receipt">
      <CheckIcon />
      <div className="calwire-receipt-text">
        <p className="calwire-account-name">
          <Foreign>{title}</Foreign>
        </p>
        {children}
      </div>
      <button type="button" className="calwire-icon-button calwire-receipt-close" onClick={onClose}>
        <CloseIcon />
        <span className="calwire-hidden">{labels.close}</span>
      </button>
    </div>
  );
}
