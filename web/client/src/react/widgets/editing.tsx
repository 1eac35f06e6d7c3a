import { lazy, type ReactElement, Suspense, useState } from 'react';

import type { EventPatch, ResponseStatus } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import type { Question } from '../editor/ask-dialog.js';
import type { Slot } from '../format/index.js';
import { hasGuests, isEditable } from '../editor/permissions.js';
import { useEventEditor } from '../hooks/index.js';
import type { EditNotice, UseEventEditorResult } from '../hooks/use-event-editor.js';
import { isUnnamed } from '../../core/edit.js';
import type { Words } from './base.js';
import { Snackbar } from './snackbar.js';

// Loaded with the first edit.
const FormDialog = lazy(() => import('../editor/form-dialog.js'));
const AskDialog = lazy(() => import('../editor/ask-dialog.js'));
const ConflictDialog = lazy(() => import('../editor/conflict-dialog.js'));

/** The edit actions of a widget. */
export interface Editing {
  add: (slot: Slot) => void;
  edit: (event: CalendarEvent) => void;
  remove: (event: CalendarEvent) => void;
  respond: (event: CalendarEvent, response: ResponseStatus) => void;
  /** Changes the time. `asked`: the user has to answer a question first, and nothing has changed yet. */
  change: (event: CalendarEvent, times: Slot) => 'changed' | 'asked';
  stateOf: UseEventEditorResult['stateOf'];
}

export function canEdit(event: CalendarEvent): boolean {
  return isEditable(event) && !isUnnamed(event);
}

/** A birthday of a contact can be changed, and not deleted. */
export function canDelete(event: CalendarEvent): boolean {
  return canEdit(event) && event.canDelete !== false;
}

export function canMove(event: CalendarEvent): boolean {
  return canEdit(event) && event.canEdit.includes('start') && event.canEdit.includes('end');
}

type Task =
  | { what: 'form'; target: { event: CalendarEvent } | { slot: Slot } }
  | { what: 'ask'; question: Question }
  | { what: 'conflict'; notice: EditNotice };

/** The edit actions and dialogs of a widget; null if it is not editable. */
export function useEditing(editable: boolean, words: Words): { editing: Editing | null; layer: ReactElement | null } {
  const editor = useEventEditor();
  const [task, setTask] = useState<Task | null>(null);
  if (!editable) return { editing: null, layer: null };
  const close = () => {
    setTask(null);
  };
  /** Asks for the scope and the mailing, if they matter. */
  const ask = (question: Question): 'changed' | 'asked' => {
    if (question.scopes.length > 0 || question.mails) {
      setTask({ what: 'ask', question });
      return 'asked';
    }
    question.onAnswer({});
    return 'changed';
  };
  const layer = (
    <>
      <Suspense fallback={null}>
        {task?.what === 'form' && (
          // A form for another target must not keep the input of the last one.
          <FormDialog key={JSON.stringify(task.target)} target={task.target} words={words} onClose={close} />
        )}
        {task?.what === 'ask' && <AskDialog question={task.question} words={words} onClose={close} />}
        {task?.what === 'conflict' && task.notice.conflict && (
          <ConflictDialog edit={task.notice.edit} conflict={task.notice.conflict} words={words} onClose={close} />
        )}
      </Suspense>
      <Snackbar
        editor={editor}
        labels={words.labels}
        onCompare={(notice) => {
          editor.dismiss(notice.id);
          setTask({ what: 'conflict', notice });
        }}
      />
    </>
  );
  return { editing: editingBy(editor, words.formats.timeZone, setTask, ask), layer };
}

function editingBy(
  editor: UseEventEditorResult,
  /** The zone for an event that was all-day. */
  zone: string,
  setTask: (task: Task) => void,
  ask: (question: Question) => 'changed' | 'asked',
): Editing {
  return {
    add: (slot) => {
      setTask({ what: 'form', target: { slot } });
    },
    edit: (event) => {
      setTask({ what: 'form', target: { event } });
    },
    remove: (event) => {
      ask({ ...aboutSeries(event, 'delete'), onAnswer: (answer) => void editor.remove(event, answer) });
    },
    respond: (event, response) => {
      const question = aboutSeries(event, 'respond');
      // Google mails a response to the organizer only.
      const scopes = question.scopes.filter((scope) => scope !== 'following');
      const onAnswer: Question['onAnswer'] = (answer) =>
        void editor.respond(event, response, { ...answer, sendUpdates: 'all' });
      ask({ ...question, scopes, mails: false, onAnswer });
    },
    change: (event, { start, end, allDay }) => {
      const timeZone = event.timeZone ?? zone;
      const patch: EventPatch = {
        start,
        end,
        ...(allDay !== event.allDay && { allDay }),
        ...(!allDay && { timeZone }),
      };
      return ask({ ...aboutSeries(event, 'change'), onAnswer: (answer) => void editor.update(event, patch, answer) });
    },
    stateOf: editor.stateOf,
  };
}

function aboutSeries(event: CalendarEvent, verb: Question['verb']): Omit<Question, 'onAnswer'> {
  const isMine = event.organizer === null || event.organizer.self;
  const scopes = event.recurringEventId === null ? [] : (['this', 'following', 'all'] as const);
  return { event, verb, scopes, mails: isMine && hasGuests(event.attendees) };
}
