import { type ReactElement, type SyntheticEvent, useId, useRef, useState } from 'react';

import type { CalendarEvent } from '../../index.js';
import type { Slot } from '../format/index.js';
import { useEventEditor } from '../hooks/index.js';
import type { Edit, EditConflict, EditOutcome, EventEditor } from '../hooks/use-event-editor.js';
import type { Words } from '../widgets/base.js';
import { Dialog } from '../widgets/dialog.js';
import { ConflictCard } from './conflict-card.js';
import { type Draft, draftOf, eventOf, newDraft, patchOf, problemsOf } from './draft.js';
import { EventFields, type Mailing } from './event-fields.js';
import { useWritable } from './use-writable.js';

export interface FormProps {
  /** The event that is edited, as it was when the form was opened; or the time of a new one. */
  target: { event: CalendarEvent } | { slot: Slot };
  words: Words;
  onClose: () => void;
}

/** The form of a new event, or of one that is there. It stays, with what was written, until it is known to be saved. */
export default function FormDialog({ target, words, onClose }: FormProps): ReactElement {
  const id = useId();
  const { labels } = words;
  const form = useForm({ target, words, onClose });
  const [asks, setAsks] = useState(false);
  const leave = () => {
    if (form.isDirty && !form.conflict) setAsks(true);
    else onClose();
  };
  return (
    <Dialog labelledBy={id} closeLabel={labels.close} onClose={leave} staysOpen>
      <h2 id={id} className="calwire-day-title">
        {form.conflict ? labels.conflictTitle : 'event' in target ? labels.editEvent : labels.newEvent}
      </h2>
      {form.conflict ? (
        <ConflictCard {...form.conflict} words={words} onDone={onClose} />
      ) : (
        <EventForm form={form} target={target} words={words} onCancel={leave} />
      )}
      {asks && (
        <div className="calwire-banner calwire-ask" role="alertdialog" aria-label={labels.discardQuestion}>
          <p>{labels.discardQuestion}</p>
          <button
            type="button"
            className="calwire-button"
            autoFocus
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
  /** `lost`: whether it was saved is not known, so nothing can be changed until it is. */
  state: 'open' | 'saving' | 'lost';
  failure: string | null;
  isDirty: boolean;
  conflict: { edit: Edit; conflict: EditConflict } | null;
  change: (draft: Draft) => void;
  changeMailing: (mailing: Mailing) => void;
  save: () => Promise<void>;
}

function useForm({ target, words, onClose }: FormProps): Form {
  const { labels } = words;
  const editor = useEventEditor();
  const { first } = useWritable();
  const event = 'event' in target ? target.event : null;
  const [opened] = useState(() => {
    const zone = words.formats.timeZone;
    return 'event' in target ? draftOf(target.event, zone) : newDraft(target.slot, '', zone);
  });
  const [edited, change] = useState(opened);
  // The calendars may come after the form is open.
  const draft = edited.calendarId === '' ? { ...edited, calendarId: first } : edited;
  const [mailing, changeMailing] = useState<Mailing>({ scope: 'this', sendUpdates: 'all' });
  const [tried, setTried] = useState(false);
  const [state, setState] = useState<Form['state']>('open');
  const [failure, setFailure] = useState<string | null>(null);
  const [conflict, setConflict] = useState<Form['conflict']>(null);
  const lost = useRef<string | null>(null);
  // State comes with the next render, and a second click may come before.
  const busy = useRef(false);
  const problems = problemsOf(draft);

  const judge = (outcome: EditOutcome): void => {
    lost.current = outcome.status === 'lost' ? outcome.id : null;
    setState(outcome.status === 'lost' ? 'lost' : 'open');
    if (outcome.status === 'done' || outcome.status === 'pending') onClose();
    else if (outcome.status === 'lost') setFailure(labels.lostInForm);
    else if (outcome.status === 'refused') setFailure(outcome.error.message);
    else if (outcome.status === 'conflict' && event) {
      const edit: Edit = { kind: 'update', event, patch: patchOf(draft, opened), ...mailingOf(draft, event, mailing) };
      setConflict({ edit, conflict: outcome.conflict });
    }
  };
  const save = async () => {
    if (busy.current) return;
    setTried(true);
    if (!lost.current && Object.keys(problems).length > 0) {
      setFailure(labels.checkFields);
      return;
    }
    busy.current = true;
    setState('saving');
    setFailure(null);
    const outcome = lost.current
      ? await editor.retry(lost.current)
      : await send(editor, { draft, opened, event, mailing });
    busy.current = false;
    judge(outcome);
  };
  return {
    draft,
    opened,
    mailing,
    problems: tried ? problems : {},
    state,
    failure,
    isDirty: JSON.stringify(edited) !== JSON.stringify(opened),
    conflict,
    change,
    changeMailing,
    save,
  };
}

interface Sending {
  draft: Draft;
  opened: Draft;
  event: CalendarEvent | null;
  mailing: Mailing;
}

/** The form shows what went wrong, so no notice does. */
const QUIET = { quiet: true };

async function send(editor: EventEditor, { draft, opened, event, mailing }: Sending): Promise<EditOutcome> {
  const options = { ...mailingOf(draft, event, mailing), ...QUIET };
  if (!event) return editor.create(draft.calendarId, eventOf(draft), options);
  const patch = patchOf(draft, opened);
  const isMoved = draft.calendarId !== opened.calendarId;
  let now = event;
  if (Object.keys(patch).length > 0) {
    const outcome = await editor.update(event, patch, options);
    if (outcome.status !== 'done' || !isMoved) return outcome;
    now = outcome.event ?? event;
  }
  return isMoved ? editor.move(now, draft.calendarId, options) : { status: 'done', event, merged: false };
}

function mailingOf(draft: Draft, event: CalendarEvent | null, { scope, sendUpdates }: Mailing) {
  const hasGuests = draft.guests.length > 0 || (event?.attendees.some(({ self }) => !self) ?? false);
  return {
    ...(event?.recurringEventId != null && { scope }),
    ...(hasGuests && { sendUpdates }),
  };
}

interface EventFormProps {
  form: Form;
  target: FormProps['target'];
  words: Words;
  onCancel: () => void;
}

function EventForm({ form, target, words, onCancel }: EventFormProps): ReactElement {
  const { labels } = words;
  const element = useRef<HTMLFormElement>(null);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    void form.save().then(() => {
      element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    });
  };
  const isSaving = form.state === 'saving';
  return (
    <form ref={element} className="calwire-form" noValidate onSubmit={submit} aria-busy={isSaving || undefined}>
      {form.failure && (
        <p className="calwire-form-failure" role="alert">
          {form.failure}
        </p>
      )}
      <fieldset className="calwire-form-body" disabled={form.state !== 'open'}>
        <EventFields
          draft={form.draft}
          opened={form.opened}
          event={'event' in target ? target.event : null}
          problems={form.problems}
          mailing={form.mailing}
          words={words}
          onChange={form.change}
          onMailing={form.changeMailing}
        />
      </fieldset>
      <div className="calwire-form-end">
        <button type="button" className="calwire-button" onClick={onCancel}>
          {form.state === 'lost' ? labels.close : labels.cancel}
        </button>
        <button type="submit" className="calwire-button calwire-primary" aria-disabled={isSaving || undefined}>
          {isSaving ? labels.saving : form.state === 'lost' ? labels.retry : labels.save}
        </button>
      </div>
    </form>
  );
}
