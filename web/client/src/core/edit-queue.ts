import type { Edit } from './edit.js';
import type { EditOutcome } from './edit-outcome.js';
import { seriesOf } from './occurrence.js';

/**
 * Runs edits of the same event one after another. An edit waits until the outcome of the one before it is known, which can
 * take as long as Google is unreachable. While one waits, the browser asks for confirmation before the page is closed.
 */
export class EditQueue {
  /** The last edit of each event. */
  readonly #tails = new Map<string, Promise<unknown>>();
  #waiting = 0;

  run(edit: Edit, send: () => Promise<EditOutcome>): Promise<EditOutcome> {
    if (edit.kind === 'create') return send();
    const name = `${edit.event.calendarId} ${seriesOf(edit.event)}`;
    const before = this.#tails.get(name);
    const outcome = before ? this.#after(before, send) : send();
    const tail = outcome.then((known) => (known.status === 'pending' ? known.end : known));
    this.#tails.set(name, tail);
    void tail.then(() => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    });
    return outcome;
  }

  /** Lets the page close without confirmation. */
  close(): void {
    removeEventListener('beforeunload', this.#confirm);
  }

  async #after(before: Promise<unknown>, send: () => Promise<EditOutcome>): Promise<EditOutcome> {
    this.#waiting += 1;
    addEventListener('beforeunload', this.#confirm);
    await before;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.close();
    return send();
  }

  readonly #confirm = (event: BeforeUnloadEvent): void => event.preventDefault();
}
