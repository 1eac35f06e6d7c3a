import { type ReactElement, useId, useState } from 'react';

import { type ConflictField, type EditConflict, type EventVersion, patchTowards } from '../../core/conflict.js';
import { rfc3339 } from '../../core/zone.js';
import type { EventPatch } from '../../generated/types.js';
import { useEventEditor } from '../hooks/index.js';
import type { Edit } from '../hooks/use-event-editor.js';
import { entryOf, plainText, shorten } from '../format/index.js';
import { Foreign, type Words } from '../widgets/base.js';
import { visibilityText } from '../widgets/event-text.js';
import { type NextEdit, QUIET, unchanged, type UseSendingResult } from './use-sending.js';

interface CardProps {
  edit: Edit;
  conflict: EditConflict;
  /** The edit to send after this one. */
  next?: NextEdit | null;
  sending: UseSendingResult;
  words: Words;
  /** Called when the user has decided. */
  onDone: () => void;
}

type Side = 'ours' | 'theirs';

/** Shows both versions of a conflict field by field, and lets the user choose. */
export function ConflictCard(props: CardProps): ReactElement | null {
  const { edit } = props;
  if (edit.kind === 'delete') return <DeletedCard {...props} />;
  return edit.kind === 'update' ? <EditedCard {...props} edit={edit} /> : null;
}

function EditedCard(props: CardProps & { edit: Extract<Edit, { kind: 'update' }> }): ReactElement {
  const { edit, sending, words } = props;
  const { labels } = words;
  const [choice, setChoice] = useState<Partial<Record<ConflictField, Side>>>({});
  const { now, decide, leave, failure } = useDecision(props);
  const chosen = new Set(now.fields.filter((field) => (choice[field] ?? 'ours') === 'ours'));
  const isSaving = sending.state === 'saving';
  const isUnknown = sending.state === 'unknown';
  return (
    <form
      className="calwire-form"
      onSubmit={(event) => {
        event.preventDefault();
        void decide(patchTowards(edit.patch, now, chosen));
      }}
    >
      <p>{labels.conflictText}</p>
      <Failure text={isUnknown ? labels.outcomeUnknownInForm : failure} />
      {/* Locked after an unknown outcome: a retry must send the same choice. */}
      <fieldset className="calwire-form-body" disabled={sending.state !== 'open'}>
        {now.fields.map((field) => (
          <FieldChoice
            key={field}
            field={field}
            conflict={now}
            side={choice[field] ?? 'ours'}
            words={words}
            onChoose={(side) => {
              setChoice({ ...choice, [field]: side });
            }}
          />
        ))}
      </fieldset>
      <div className="calwire-form-end">
        <button type="button" className="calwire-button" aria-disabled={isSaving || undefined} onClick={leave}>
          {isUnknown ? labels.close : labels.takeTheirs}
        </button>
        <button type="submit" className="calwire-button calwire-primary" aria-disabled={isSaving || undefined}>
          {isSaving ? labels.saving : isUnknown ? labels.retry : labels.save}
        </button>
      </div>
    </form>
  );
}

function DeletedCard(props: CardProps): ReactElement {
  const { sending, words } = props;
  const { labels } = words;
  const { now, decide, leave, failure } = useDecision(props);
  const isSaving = sending.state === 'saving';
  return (
    <div className="calwire-form">
      <p>{labels.deleteConflictText}</p>
      <Failure text={failure} />
      <dl className="calwire-versions">
        {(['title', 'when', ...now.fields] as const)
          .filter((field, index, all) => all.indexOf(field) === index)
          .map((field) => (
            <div key={field}>
              <dt>{labels.conflictFields[field]}</dt>
              <dd>
                <Foreign>{textOf(field, now.theirs, words)}</Foreign>
              </dd>
            </div>
          ))}
      </dl>
      <div className="calwire-form-end">
        <button type="button" className="calwire-button" aria-disabled={isSaving || undefined} onClick={leave}>
          {labels.keepEvent}
        </button>
        <button
          type="button"
          className="calwire-button calwire-danger"
          aria-disabled={isSaving || undefined}
          onClick={() => void decide(null)}
        >
          {labels.deleteAnyway}
        </button>
      </div>
    </div>
  );
}

/** The current conflict, and the user's decision on it. */
function useDecision({ edit, conflict, next = null, sending, onDone }: CardProps) {
  const editor = useEventEditor();
  const [now, setNow] = useState(conflict);
  const [failure, setFailure] = useState<string | null>(null);
  /** Null: delete the event. */
  const decide = async (patch: EventPatch | null) => {
    // The user took all of theirs, so nothing has to be sent.
    const isTheirs = patch !== null && Object.keys(patch).length === 0;
    setFailure(null);
    const outcome = await sending.send(
      () => (isTheirs ? unchanged(null) : editor.resolve(edit, now, patch ?? {}, { ...QUIET, undoFor: 0 })),
      next,
    );
    if (outcome?.status === 'rejected' || outcome?.status === 'unknown') setFailure(outcome.error.message);
    // Someone changed it again in the meantime.
    else if (outcome?.status === 'conflict') setNow(outcome.conflict);
    else if (outcome) onDone();
  };
  const leave = () => {
    // Only this dialog shows the outcome, so it stays open while saving.
    if (sending.state !== 'saving') onDone();
  };
  return { now, decide, leave, failure };
}

function Failure({ text }: { text: string | null }): ReactElement | null {
  if (text === null) return null;
  return (
    <p className="calwire-form-failure" role="alert">
      {text}
    </p>
  );
}

interface FieldChoiceProps {
  field: ConflictField;
  conflict: EditConflict;
  side: Side;
  words: Words;
  onChoose: (side: Side) => void;
}

function FieldChoice({ field, conflict, side, words, onChoose }: FieldChoiceProps): ReactElement {
  const name = useId();
  const { labels } = words;
  return (
    <fieldset className="calwire-sides">
      <legend>{labels.conflictFields[field]}</legend>
      {(['ours', 'theirs'] as const).map((each) => (
        <label key={each} data-chosen={side === each}>
          <span>
            <input
              type="radio"
              name={name}
              checked={side === each}
              onChange={() => {
                onChoose(each);
              }}
            />
            <strong>{each === 'ours' ? labels.mine : labels.theirs}</strong>
          </span>
          <Foreign>{textOf(field, conflict[each] ?? conflict.theirs, words)}</Foreign>
        </label>
      ))}
    </fieldset>
  );
}

const LENGTH = 600;

/** The text of a version's field. */
function textOf(field: ConflictField, version: EventVersion, { labels, formats }: Words): string {
  switch (field) {
    case 'when':
      return whenOf(version, formats, labels.allDay);
    case 'attendees':
      return version.attendees.map(({ email, displayName }) => displayName ?? email).join(', ') || labels.nothing;
    case 'recurrence':
      return version.recurrence.join(' ') || labels.nothing;
    case 'reminders': {
      const { reminders } = version;
      if (!reminders || reminders.useDefault) return labels.defaultReminders;
      return reminders.overrides.map(({ minutes }) => labels.before(minutes)).join(', ') || labels.nothing;
    }
    case 'conference':
      return version.conferenceUrl ?? labels.nothing;
    case 'transparency':
      return labels.transparencies[version.transparency ?? 'opaque'];
    case 'visibility':
      return visibilityText(version.visibility, labels);
    case 'colorId':
      return version.colorId === null
        ? labels.calendarColour
        : (entryOf(labels.colours, version.colorId) ?? version.colorId);
    case 'title':
    case 'description':
    case 'location':
      return shorten(plainText(version[field]), LENGTH) || labels.nothing;
  }
}

function whenOf({ start = '', end = '', timeZone }: EventVersion, formats: Words['formats'], allDay: string): string {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(start);
  const event = { start, end, allDay: isDate, timeZone: timeZone ?? null };
  const today = rfc3339(formats.timeZone, Date.now()).slice(0, 10);
  return `${formats.daysOf(event, today)} · ${formats.times(event) ?? allDay}`;
}
