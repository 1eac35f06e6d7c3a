import { type ReactElement, type SyntheticEvent, useId, useRef, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import type { Slot } from '../format/index.js';
import { useEventEditor } from '../hooks/index.js';
import type { Edit, EditConflict, EditOutcome, UseEventEditorResult } from '../hooks/use-event-editor.js';
import type { Words } from '../widgets/base.js';
import { Dialog } from '../widgets/dialog.js';
import { ConflictCard } from './conflict-card.js';
import { type Draft, draftOf, eventOf, guestsOf, newDraft, patchOf, problemsOf, withWhole } from './draft.js';
import { EventFields, type Mailing } from './event-fields.js';
import { hasGuests } from './permissions.js';
import { type NextEdit, QUIET, unchanged, useSending, type UseSendingResult } from './use-sending.js';
import { useWhole, type UseWholeResult } from './use-whole.js';
import { useWritable } from './use-writable.js';

export interface FormProps {
  /** The event to edit, as it was when the form was opened, or the time of a new one. */
  target: { event: CalendarEvent } | { slot: Slot };
  words: Words;
  onClose: () => void;
}

/** The form for a new or existing event. It stays open with the user's input until the event is known to be saved. */
export default function FormDialog({ target, words, onClose }: FormProps): ReactElement {
  const id = useId();
  const { labels } = words;
  const sending = useSending();
  const form = useForm({ target, words, onClose }, sending);
  const [asks, setAsks] = useState(false);
  const isSaving = sending.state === 'saving';
  const leave = () => {
    // Only this dialog shows the outcome, so it stays open while saving.
    if (isSaving) return;
    if (form.isDirty && !form.conflict) setAsks(true);
    else onClose();
  };
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={leave} staysOpen>
      <h2 id={id} className="calwire-day-title">
        {form.conflict ? labels.conflictTitle : 'event' in target ? labels.editEvent : labels.newEvent}
      </h2>
      {form.conflict ? (
        <ConflictCard {...form.conflict} sending={sending} words={words} onDone={onClose} />
      ) : (
        <EventForm form={form} state={sending.state} target={target} words={words} onCancel={leave} />
      )}
      {asks && !isSaving && (
        <div className="calwire-banner calwire-ask" role="alertdialog" aria-label={labels.discardQuestion}>
          <p>{labels.discardQuestion}</p>
          <button
            type="button"
            className="calwire-button"
            autoFocus
            data-autofocus=""
            onClick={() => {
              setAsks(false);
            }}
          >
            {labels.keepEditing}
          </button>
          <button type="button" className="calwire-button calwire-danger" onClick={onClose}>
            {labels.discard}
          </button>
        </div>
      )}
    </Dialog>
  );
}

interface Form {
  draft: Draft;
  opened: Draft;
  mailing: Mailing;
  problems: ReturnType<typeof problemsOf>;
  failure: string | null;
  isDirty: boolean;
  loading: UseWholeResult;
  conflict: { edit: Edit; conflict: EditConflict; next: NextEdit | null } | null;
  change: (draft: Draft) => void;
  changeMailing: (mailing: Mailing) => void;
  save: () => Promise<void>;
}

function useForm({ target, words, onClose }: FormProps, sending: UseSendingResult): Form {
  const { labels } = words;
  const editor = useEventEditor();
  const { first } = useWritable();
  const event = 'event' in target ? target.event : null;
  const loading = useWhole(event);
  const { whole } = loading;
  const [shown] = useState(() => {
    const zone = words.formats.timeZone;
    return 'event' in target ? draftOf(target.event, zone) : newDraft(target.slot, '', zone);
  });
  const [edited, change] = useState(shown);
  const known = (values: Draft) => (event && whole ? withWhole(values, shown, event, whole) : values);
  const opened = known(shown);
  const texts = known(edited);
  // The calendars may load after the form is open.
  const draft = texts.calendarId === '' ? { ...texts, calendarId: first } : texts;
  const [mailing, changeMailing] = useState<Mailing>({ scope: 'this', sendUpdates: 'all' });
  const [submitted, setSubmitted] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [conflict, setConflict] = useState<Form['conflict']>(null);
  const problems = problemsOf(draft);

  const handle = (outcome: EditOutcome, edits: Edits): void => {
    if (outcome.status === 'done' || outcome.status === 'pending') onClose();
    else if (outcome.status === 'unknown') setFailure(labels.outcomeUnknownInForm);
    else if (outcome.status === 'rejected') setFailure(outcome.error.message);
    else if (outcome.status === 'conflict' && event) {
      const edit: Edit = { kind: 'update', event, patch: patchOf(draft, opened), ...mailingOf(draft, event, mailing) };
      setConflict({ edit, conflict: outcome.conflict, next: edits.next });
    }
  };
  const save = async () => {
    setSubmitted(true);
    if (sending.state !== 'unknown' && Object.keys(problems).length > 0) {
      setFailure(labels.checkFields);
      return;
    }
    setFailure(null);
    const edits = editsOf(editor, { draft, opened, event, mailing });
    const outcome = await sending.send(edits.first, edits.next);
    if (outcome) handle(outcome, edits);
  };
  return {
    draft,
    opened,
    mailing,
    problems: submitted ? problems : {},
    failure,
    isDirty: JSON.stringify(edited) !== JSON.stringify(shown),
    loading,
    conflict,
    change,
    changeMailing,
    save,
  };
}

interface FormValues {
  draft: Draft;
  opened: Draft;
  event: CalendarEvent | null;
  mailing: Mailing;
}

interface Edits {
  first: () => Promise<EditOutcome>;
  /** The move to another calendar, which follows the change of the fields. */
  next: NextEdit | null;
}

function editsOf(editor: UseEventEditorResult, { draft, opened, event, mailing }: FormValues): Edits {
  const mails = mailingOf(draft, event, mailing);
  const options = { ...mails, ...QUIET };
  if (!event) return { first: () => editor.create(draft.calendarId, eventOf(draft), options), next: null };
  const patch = patchOf(draft, opened);
  const isMoved = draft.calendarId !== opened.calendarId;
  return {
    first: () => (Object.keys(patch).length > 0 ? editor.update(event, patch, options) : unchanged(event)),
    next: isMoved ? (now, how) => editor.move(now ?? event, draft.calendarId, { ...mails, ...how }) : null,
  };
}

function mailingOf(draft: Draft, event: CalendarEvent | null, { scope, sendUpdates }: Mailing) {
  const mails = guestsOf(draft).length > 0 || hasGuests(event?.attendees ?? []);
  return {
    ...(event?.recurringEventId != null && { scope }),
    ...(mails && { sendUpdates }),
  };
}

interface EventFormProps {
  form: Form;
  state: UseSendingResult['state'];
  target: FormProps['target'];
  words: Words;
  onCancel: () => void;
}

function EventForm({ form, state, target, words, onCancel }: EventFormProps): ReactElement {
  const { labels } = words;
  const element = useRef<HTMLFormElement>(null);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    void form.save().then(() => {
      element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    });
  };
  const isSaving = state === 'saving';
  return (
    <form ref={element} className="calwire-form" noValidate onSubmit={submit} aria-busy={isSaving || undefined}>
      {form.failure && (
        <p className="calwire-form-failure" role="alert">
          {form.failure}
        </p>
      )}
      {form.loading.error && (
        <div className="calwire-banner" role="alert">
          <p>{labels.textNotLoaded}</p>
          <button type="button" className="calwire-button" onClick={form.loading.reload}>
            {labels.retry}
          </button>
        </div>
      )}
      <fieldset className="calwire-form-body" disabled={state !== 'open'}>
        <EventFields
          draft={form.draft}
          opened={form.opened}
          textLock={form.loading.whole ? null : form.loading.error ? labels.textNotLoaded : labels.loadingText}
          event={'event' in target ? target.event : null}
          problems={form.problems}
          mailing={form.mailing}
          words={words}
          onChange={form.change}
          onMailing={form.changeMailing}
        />
      </fieldset>
      <div className="calwire-form-end">
        <button type="button" className="calwire-button" aria-disabled={isSaving || undefined} onClick={onCancel}>
          {state === 'unknown' ? labels.close : labels.cancel}
        </button>
        <button type="submit" className="calwire-button calwire-primary" aria-disabled={isSaving || undefined}>
          {isSaving ? labels.saving : state === 'unknown' ? labels.retry : labels.save}
        </button>
      </div>
    </form>
  );
}
