/** The procedure that carries out an edit. */
import type {
  CreateEventInput,
  DeletedEvent,
  DeleteEventInput,
  Event,
  MoveEventInput,
  RespondToEventInput,
  UpdateEventInput,
  WrittenEvent,
} from '../generated/types.js';
import type { Api } from './api.js';
import { type Edit, partOf } from './edit.js';

export interface Sent {
  pending: boolean;
  event: Event | null;
  merged: boolean;
}

type Input = CreateEventInput | UpdateEventInput | DeleteEventInput | MoveEventInput | RespondToEventInput;

/** What is sent. The same key and edit make the same input. */
export function inputOf(idempotencyKey: string, edit: Edit, baseEtag: string): Input {
  const mailing = edit.sendUpdates && { sendUpdates: edit.sendUpdates };
  if (edit.kind === 'create') {
    return { idempotencyKey, calendarId: edit.calendarId, event: edit.patch, ...mailing };
  }
  const { calendarId, id, recurringEventId } = edit.event;
  const scope = recurringEventId !== null && { scope: partOf(edit) };
  const common = { idempotencyKey, calendarId, eventId: id, ...mailing };
  switch (edit.kind) {
    case 'update':
      return { ...common, baseEtag, patch: edit.patch, ...scope };
    case 'delete':
      return { ...common, baseEtag, ...scope };
    case 'move':
      return { ...common, eventId: recurringEventId ?? id, destinationCalendarId: edit.destinationCalendarId };
    case 'respond': {
      const comment = edit.comment !== undefined && { comment: edit.comment };
      return { ...common, responseStatus: edit.responseStatus, ...comment, ...scope };
    }
  }
}

/** Of the kind of an edit. */
export const procedures = {
  create: 'createEvent',
  update: 'updateEvent',
  delete: 'deleteEvent',
  move: 'moveEvent',
  respond: 'respondToEvent',
} as const;

interface Procedure {
  mutate: (input: Input) => Promise<WrittenEvent | DeletedEvent>;
}

export async function send({ calendar }: Api, key: string, edit: Edit, baseEtag: string): Promise<Sent> {
  const procedure = calendar.google[procedures[edit.kind]] as Procedure;
  return { event: null, merged: false, ...(await procedure.mutate(inputOf(key, edit, baseEtag))) };
}
