/** The request that applies an edit. */
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
import { isAmbiguous } from './edit-outcome.js';
import { CalwireError } from './error.js';
import { sleep } from './sleep.js';

/** Delays before a request with an unknown outcome is repeated. */
const RETRY_DELAYS = [1_000, 3_000];

export interface Sent {
  pending: boolean;
  event: Event | null;
  merged: boolean;
}

type Input = CreateEventInput | UpdateEventInput | DeleteEventInput | MoveEventInput | RespondToEventInput;

/** The same arguments always make the same input, as the idempotency key requires. JSON leaves out what is undefined. */
export function inputOf(idempotencyKey: string, edit: Edit, baseEtag: string): Input {
  const { sendUpdates } = edit;
  if (edit.kind === 'create') {
    return { idempotencyKey, calendarId: edit.calendarId, event: edit.patch, sendUpdates };
  }
  const { calendarId, id, recurringEventId } = edit.event;
  const scope = recurringEventId === null ? undefined : partOf(edit);
  const common = { idempotencyKey, calendarId, eventId: id, sendUpdates };
  switch (edit.kind) {
    case 'update':
      return { ...common, baseEtag, patch: edit.patch, scope };
    case 'delete':
      return { ...common, baseEtag, scope };
    case 'move':
      return { ...common, eventId: recurringEventId ?? id, destinationCalendarId: edit.destinationCalendarId };
    case 'respond':
      return { ...common, responseStatus: edit.responseStatus, comment: edit.comment, scope };
  }
}

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

/** Sends an edit, and repeats the request while its outcome is unknown. The idempotency key makes it apply once. */
export async function sendRepeatedly(api: Api, key: string, edit: Edit, baseEtag: string): Promise<Sent> {
  for (const delay of RETRY_DELAYS) {
    try {
      return await send(api, key, edit, baseEtag);
    } catch (cause) {
      const error = CalwireError.of(cause);
      if (!isAmbiguous(error) || !navigator.onLine) throw error;
      await sleep(delay);
    }
  }
  return send(api, key, edit, baseEtag);
}

async function send({ calendar }: Api, key: string, edit: Edit, baseEtag: string): Promise<Sent> {
  const procedure = calendar.google[procedures[edit.kind]] as Procedure;
  return { event: null, merged: false, ...(await procedure.mutate(inputOf(key, edit, baseEtag))) };
}
