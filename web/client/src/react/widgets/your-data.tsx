import { type ReactElement, useId, useState } from 'react';

import { saveJson } from '../../core/save-file.js';
import type { DeleteData } from '../../generated/types.js';
import { useExportData } from '../hooks/index.js';
import { DeleteDialog } from './account-dialogs.js';
import type { ManagerWords } from './manager-words.js';
import type { Moment } from './base.js';

interface YourDataProps {
  words: ManagerWords;
  moment: Moment;
  onDeleted: (receipt: DeleteData) => void;
}

/** Exports or deletes the user's stored data. */
export function YourData({ words: { labels }, moment, onDeleted }: YourDataProps): ReactElement {
  const { exportData, isPending, error } = useExportData();
  const [saved, setSaved] = useState<string | null>(null);
  const [deleting, setDeleting] = useState(false);
  const id = useId();

  const save = async () => {
    setSaved(null);
    const data = await exportData();
    if (!data) return;
    const file = `calendar-data-${moment.today}.json`;
    saveJson(file, data);
    setSaved(file);
  };

  return (
    <section className="calwire-your-data" aria-labelledby={id}>
      <p id={id} className="calwire-account-name">
        {labels.yourData}
      </p>
      <div className="calwire-your-data-line">
        <p className="calwire-quiet">{labels.exportHint}</p>
        <button
          type="button"
          className="calwire-button"
          aria-disabled={isPending}
          onClick={() => {
            if (!isPending) void save();
          }}
        >
          {isPending ? labels.exporting : labels.exportData}
        </button>
      </div>
      <p role="status" className="calwire-good">
        {saved && labels.exported(saved)}
      </p>
      {error && (
        <p className="calwire-error" role="alert">
          {error.message}
        </p>
      )}
      <div className="calwire-your-data-line">
        <p className="calwire-quiet">{labels.deleteHint}</p>
        <button
          type="button"
          className="calwire-button calwire-danger-quiet"
          aria-haspopup="dialog"
          onClick={() => {
            setDeleting(true);
          }}
        >
          {labels.deleteData}
        </button>
      </div>
      {deleting && (
        <DeleteDialog
          labels={labels}
          onClose={() => {
            setDeleting(false);
          }}
          onDone={onDeleted}
        />
      )}
    </section>
  );
}
