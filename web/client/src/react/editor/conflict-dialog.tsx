import { type ReactElement, useId } from 'react';

import type { Edit, EditConflict } from '../hooks/use-event-editor.js';
import type { Words } from '../widgets/base.js';
import { Dialog } from '../widgets/dialog.js';
import { ConflictCard } from './conflict-card.js';
import { useSending } from './use-sending.js';

interface ConflictDialogProps {
  edit: Edit;
  conflict: EditConflict;
  words: Words;
  onClose: () => void;
}

/** The conflict card for an edit without a form, such as a drag or a deletion. */
export default function ConflictDialog({ edit, conflict, words, onClose }: ConflictDialogProps): ReactElement {
  const id = useId();
  const sending = useSending();
  const leave = () => {
    // Only this dialog shows the outcome, so it stays open while saving.
    if (sending.state !== 'saving') onClose();
  };
  return (
    <Dialog labelledBy={id} closeLabel={words.labels.close} onClose={leave} staysOpen>
      <h2 id={id} className="calwire-day-title">
        {words.labels.conflictTitle}
      </h2>
      <ConflictCard edit={edit} conflict={conflict} sending={sending} words={words} onDone={onClose} />
    </Dialog>
  );
}
