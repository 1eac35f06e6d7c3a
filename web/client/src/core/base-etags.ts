import type { Event } from '../generated/types.js';
import type { Edit } from './edit.js';

type Version = Pick<Event, 'calendarId' | 'id' | 'etag'>;

/**
 * The etag that an edit is based on. When an earlier edit of the same version has been applied, a later one is based on its
 * result: the user's own edits do not conflict with each other.
 */
export class BaseEtags {
  readonly #successors = new Map<string, string>();

  replaced(before: Version, after: Version): void {
    if (before.etag !== after.etag) this.#successors.set(nameOf(before), after.etag);
  }

  of(edit: Edit): string {
    if (edit.kind === 'create') return '';
    let { etag } = edit.event;
    for (let next = this.#successors.get(nameOf(edit.event)); next !== undefined && next !== etag;) {
      etag = next;
      next = this.#successors.get(nameOf({ ...edit.event, etag }));
    }
    return etag;
  }
}

function nameOf({ calendarId, id, etag }: Version): string {
  return `${calendarId} ${id} ${etag}`;
}
