import { type ReactElement, type ReactNode, type SyntheticEvent, useId, useState } from 'react';

import type { CalwireError } from '../../core/error.js';
import type { DeleteData, Disconnect } from '../../generated/types.js';
import { plainLine } from '../format/index.js';
import { type Account, useConnect, useDeleteData } from '../hooks/index.js';
import { Foreign } from './base.js';
import { Dialog } from './dialog.js';
import type { ManagerLabels } from './manager-words.js';

interface DisconnectDialogProps {
  account: Account;
  labels: ManagerLabels;
  onClose: () => void;
  onDone: (receipt: Disconnect) => void;
}

/** Explains what disconnecting an account does, and does it. */
export function DisconnectDialog({ account, labels, onClose, onDone }: DisconnectDialogProps): ReactElement {
  const { disconnect, isPending, error } = useConnect();
  const confirm = async () => {
    const receipt = await disconnect(account.id);
    if (!receipt) return;
    onDone(receipt);
    onClose();
  };
  return (
    <Confirmation
      title={labels.disconnectTitle(plainLine(account.email))}
      steps={labels.disconnectSteps(account.calendars.length)}
      keep={labels.keepAccount}
      action={isPending ? labels.disconnecting : labels.disconnect}
      isPending={isPending}
      error={error}
      labels={labels}
      onClose={onClose}
      onConfirm={confirm}
    />
  );
}

interface DeleteDialogProps {
  labels: ManagerLabels;
  onClose: () => void;
  onDone: (receipt: DeleteData) => void;
}

/** Deletes the user's data after they have typed a confirmation. */
export function DeleteDialog({ labels, onClose, onDone }: DeleteDialogProps): ReactElement {
  const { deleteData, isPending, error } = useDeleteData();
  const [typed, setTyped] = useState('');
  const field = useId();
  const word = labels.deleteWord;
  const isConfirmed = typed.trim().toLowerCase() === word.toLowerCase();
  const confirm = async () => {
    const receipt = await deleteData();
    if (!receipt) return;
    onDone(receipt);
    onClose();
  };
  return (
    <Confirmation
      title={labels.deleteTitle}
      steps={labels.deleteSteps}
      keep={labels.keepData}
      action={isPending ? labels.deleting : labels.deleteForGood}
      isPending={isPending}
      isAllowed={isConfirmed}
      error={error}
      labels={labels}
      onClose={onClose}
      onConfirm={confirm}
    >
      <label className="calwire-field" htmlFor={field}>
        {labels.typeToDelete(word)}
      </label>
      <input
        id={field}
        className="calwire-input"
        value={typed}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(change) => {
          setTyped(change.target.value);
        }}
      />
    </Confirmation>
  );
}

interface ConfirmationProps {
  title: string;
  steps: readonly string[];
  keep: string;
  action: string;
  isPending: boolean;
  isAllowed?: boolean;
  error: CalwireError | null;
  labels: ManagerLabels;
  onClose: () => void;
  onConfirm: () => Promise<void>;
  children?: ReactNode;
}

function Confirmation(props: ConfirmationProps): ReactElement {
  const {
    title,
    steps,
    keep,
    action,
    isPending,
    isAllowed = true,
    error,
    labels,
    onClose,
    onConfirm,
    children,
  } = props;
  const id = useId();
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (isAllowed && !isPending) void onConfirm();
  };
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={onClose}>
      <form className="calwire-confirm" onSubmit={submit}>
        <h2 id={id} className="calwire-day-title">
          <Foreign>{title}</Foreign>
        </h2>
        <ul className="calwire-steps">
          {steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ul>
        {children}
        {error && (
          <p className="calwire-error" role="alert">
            {error.message}
          </p>
        )}
        <div className="calwire-confirm-end">
          <button type="button" className="calwire-button" onClick={onClose}>
            {keep}
          </button>
          <button
            type="submit"
            className="calwire-button calwire-danger"
            disabled={!isAllowed}
            aria-disabled={isPending}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
