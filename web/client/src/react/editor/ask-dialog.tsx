import { type ReactElement, useId, useState } from 'react';

import type { SendUpdates, SeriesScope } from '../../generated/types.js';
import type { Words } from '../widgets/base.js';
import { Dialog } from '../widgets/dialog.js';
import { fullTitle } from '../widgets/event-text.js';
import type { CalendarEvent } from '../../index.js';
import type { Mailing } from './event-fields.js';
import { Choices, Field, Select } from './field.js';

export interface Question {
  event: CalendarEvent;
  verb: 'change' | 'delete' | 'respond';
  /** For a series: the scopes to choose from. */
  scopes: readonly SeriesScope[];
  /** Whether to ask about mailing guests. */
  mails: boolean;
  onAnswer: (answer: Partial<Mailing>) => void;
}

const MAILINGS: readonly SendUpdates[] = ['all', 'externalOnly', 'none'];

/** Asks for the scope and the mailing before an event is moved, deleted or responded to. */
export default function AskDialog({
  question,
  words,
  onClose,
}: {
  question: Question;
  words: Words;
  onClose: () => void;
}): ReactElement {
  const id = useId();
  const { labels } = words;
  const { event, verb, scopes, mails, onAnswer } = question;
  const [scope, setScope] = useState<SeriesScope>('this');
  const [sendUpdates, setSendUpdates] = useState<SendUpdates>('all');
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={onClose}>
      <form
        className="calwire-form"
        onSubmit={(submit) => {
          submit.preventDefault();
          onClose();
          onAnswer({ ...(scopes.length > 0 && { scope }), ...(mails && { sendUpdates }) });
        }}
      >
        <h2 id={id} className="calwire-day-title">
          <bdi>{fullTitle(event, labels)}</bdi>
        </h2>
        {scopes.length > 0 && (
          <Choices
            label={labels.scopeQuestion[verb]}
            options={scopes.map((each) => [each, labels.scopes[each]] as const)}
            value={scope}
            onChange={setScope}
          />
        )}
        {mails && (
          <Field label={labels.sendUpdates}>
            {(control) => (
              <Select
                control={control}
                options={MAILINGS.map((each) => [each, labels.mailing[each]] as const)}
                value={sendUpdates}
                onChange={setSendUpdates}
              />
            )}
          </Field>
        )}
        <div className="calwire-form-end">
          <button type="button" className="calwire-button" onClick={onClose}>
            {labels.cancel}
          </button>
          <button
            type="submit"
            className={`calwire-button ${verb === 'delete' ? 'calwire-danger' : 'calwire-primary'}`}
            data-autofocus=""
          >
            {verb === 'delete' ? labels.delete : labels.apply}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
