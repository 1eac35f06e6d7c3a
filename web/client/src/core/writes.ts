/**
 * The user's edits on their way to the server. Each is applied once.
 *
 * - Each action of the user has one idempotency key. The same action again within a second is a double click, and a retry
 *   after a failure is the same request.
 * - Edits of one event are sent one after another (`edit-queue.ts`), each based on the result of the one before it
 *   (`base-etags.ts`).
 * - An edit is shown at once (`overlay.ts`). It is reverted if it is rejected, and replaced by the server's event when that
 *   arrives.
 * - A deletion is sent only when it can no longer be undone: undoing a sent one would create a new event and mail the
 *   guests twice.
 * - When the page closes or the user signs out, each edit without an answer is sent once more, as a keepalive request. The
 *   server does not order edits of one event, so a waiting edit may then conflict with the one before it.
 */
import type { Event, Message } from '../generated/types.js';
import type { Api } from './api.js';
import { BaseEtags } from './base-etags.js';
import { CalwireError } from './error.js';
import { type Edit, isUnnamed } from './edit.js';
import { type Job, SENDING } from './edit-job.js';
import { conflictOf, type EditOptions, type EditOutcome, isAmbiguous, unnamedError } from './edit-outcome.js';
import { EditQueue } from './edit-queue.js';
import { EditStore } from './edit-store.js';
import { overlaid, type Phase, seriesIn, versionIn } from './overlay.js';
import type { LiveData } from './reducer.js';
import { inputOf, procedures, type Sent, sendRepeatedly } from './send-edit.js';

const UNDO_FOR = 8_000;
/** The same edit within this time is a double click. */
const DOUBLE_CLICK = 1_000;
/** A message announces the outcome of a pending write. In case it is missed, the outcome is requested at this interval. */
const POLL_EVERY = 30_000;
/** If the message has not arrived within this time, the socket is not as live as it seems. */
const MESSAGE_TIMEOUT = 2_000;

export interface WritesOptions {
  api: Api;
  /** Sends a request that outlives the page. */
  sendKeepalive: (procedure: string, input: unknown) => void;
  /** The live data without edits. */
  serverData: () => LiveData | null;
  /** Calls back when the live data has changed. */
  onServerData: (callback: () => void) => () => void;
  /** The ids of a calendar's series that the page has loaded. */
  knownSeries: (calendarId: string) => ReadonlySet<string>;
  /** Reloads the live data. */
  reload: () => Promise<void>;
  /** Reloads the lists that show events of these calendars. */
  refetch: (calendarIds: ReadonlySet<string>) => Promise<void>;
}

export class Writes {
  readonly #edits = new EditStore();
  readonly state = this.#edits.state;
  readonly #options: WritesOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #queue = new EditQueue();
  readonly #etags = new BaseEtags();
  #last: { text: string; at: number; outcome: Promise<EditOutcome> } | undefined;
  #closed = false;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  /** Shows and sends an edit. Never rejects. */
  begin(edit: Edit, options: EditOptions = {}): Promise<EditOutcome> {
    const text = JSON.stringify(edit);
    const last = this.#last;
    if (last && last.text === text && Date.now() - last.at < DOUBLE_CLICK) return last.outcome;
    const job: Job = { key: crypto.randomUUID(), edit, options, base: null, state: SENDING };
    const isUndoable = edit.kind === 'delete' && options.undoFor !== 0;
    this.#jobs.set(job.key, job);
    this.#show(job, isUndoable ? 'undoable' : 'sending');
    const outcome = isUndoable ? this.#sendUnlessUndone(job) : this.#send(job);
    this.#last = { text, at: Date.now(), outcome };
    return outcome;
  }

  /** Sends an edit with an unknown outcome again, as the same request. */
  retry(id: string): Promise<EditOutcome> {
    const job = this.#jobs.get(id);
    if (!job) return Promise.resolve({ status: 'undone' });
    this.dismiss(id);
    this.#show(job, 'sending');
    return this.#send(job);
  }

  /** Reverts a deletion that has not been sent. */
  undo(id: string): void {
    this.#undoable(id)?.undo();
  }

  /** Delays sending a deletion while the user is about to undo it. */
  hold(id: string, held: boolean): void {
    this.#undoable(id)?.hold(held);
  }

  /** Removes a notice. A deletion that could be undone is sent. */
  dismiss(id: string): void {
    this.#undoable(id)?.send();
    this.#edits.dismiss(id);
  }

  /** Sends deletions that could still be undone. As keepalive requests: a token fetched later may be another user's. */
  flush(): void {
    this.leave(['undoable']);
    for (const id of this.#jobs.keys()) this.#undoable(id)?.send();
  }

  /** The page closes or the user signs out: sends edits without an answer, and does not wait for one. */
  leave(phases: readonly Phase[] = ['undoable', 'sending']): void {
    for (const { key, edit, phase } of this.state.get().writes) {
      const job = this.#jobs.get(key);
      if (!job || !phases.includes(phase)) continue;
      this.#options.sendKeepalive(`calendar.google.${procedures[edit.kind]}`, inputOf(key, edit, this.#baseOf(job)));
    }
  }

  close(): void {
    this.leave();
    this.#closed = true;
    this.#edits.close();
    this.#queue.close();
  }

  onMessages(messages: readonly Message[]): void {
    for (const message of messages) {
      const job = message.type === 'write.resolved' && this.#jobs.get(message.idempotencyKey);
      if (!job) continue;
      if (job.state.phase === 'pending') job.state.wake();
      else if (job.state.phase === 'sending') job.state = { phase: 'sending', resolved: true };
    }
  }

  #undoable(id: string) {
    const state = this.#jobs.get(id)?.state;
    return state?.phase === 'undoable' ? state : undefined;
  }

  #sendUnlessUndone(job: Job): Promise<EditOutcome> {
    const { key, edit, options } = job;
    this.#edits.notify(key, edit, 'deleted');
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const decide = () => {
        clearTimeout(timer);
        job.state = SENDING;
        this.#edits.dismiss(key);
      };
      const undo = () => {
        decide();
        this.#last = undefined;
        this.#forget(job);
        resolve({ status: 'undone' });
      };
      const send = () => {
        decide();
        resolve(this.#send(job));
      };
      const hold = (held: boolean) => {
        clearTimeout(timer);
        timer = held ? undefined : setTimeout(send, options.undoFor ?? UNDO_FOR);
      };
      job.state = { phase: 'undoable', undo, send, hold };
      hold(false);
    });
  }

  #send(job: Job): Promise<EditOutcome> {
    job.state = SENDING;
    this.#edits.update(job.key, { phase: 'sending' });
    return this.#queue.run(job.edit, () => this.#attempt(job, job.options.quiet));
  }

  async #attempt(job: Job, quiet = false): Promise<EditOutcome> {
    const { key, edit } = job;
    if (this.#closed) return { status: 'undone' };
    if (edit.kind !== 'create' && isUnnamed(edit.event)) return this.#rejected(job, unnamedError(), quiet);
    const base = this.#baseOf(job);
    try {
      const sent = await sendRepeatedly(this.#options.api, key, edit, base);
      return sent.pending ? this.#pending(job) : this.#landed(job, sent);
    } catch (cause) {
      return this.#failed(job, CalwireError.of(cause), quiet);
    }
  }

  #pending(job: Job): EditOutcome {
    const { key, edit } = job;
    this.#edits.update(key, { phase: 'pending' });
    if (!this.#edits.notice(key)) this.#edits.notify(key, edit, 'pending');
    return { status: 'pending', id: key, end: this.#resolved(job) };
  }

  /** The final outcome of a pending write: sends the same request again after a message or a timer. */
  async #resolved(job: Job): Promise<EditOutcome> {
    if (job.state.phase !== 'sending' || !job.state.resolved) {
      await new Promise<void>((wake) => {
        job.state = { phase: 'pending', wake };
        setTimeout(wake, POLL_EVERY);
      });
    }
    job.state = SENDING;
    // The caller does not show a failure any more, so a notice does.
    const outcome = await this.#attempt(job);
    if (outcome.status === 'pending') return outcome.end;
    if (outcome.status === 'unknown' && !this.#closed) {
      this.#show(job, 'pending');
      return this.#resolved(job);
    }
    if (outcome.status === 'done' && this.#edits.notice(job.key)?.kind === 'pending')
      this.#edits.notify(job.key, job.edit, 'saved');
    return outcome;
  }

  #landed(job: Job, { event, merged }: Sent): EditOutcome {
    const { key, edit } = job;
    // A merged event contains someone else's change, which the user has not seen: a later edit must not overwrite it.
    if (event && !merged && edit.kind !== 'create') this.#etags.replaced(edit.event, event);
    job.state = { phase: 'landed' };
    this.#edits.update(key, { phase: 'landed', answer: event });
    if (merged) this.#edits.notify(key, edit, 'merged');
    void this.#forgetWhenLoaded(job, event);
    return { status: 'done', event, merged };
  }

  /** Removes the edit from the overlay once the server's data contains it. */
  async #forgetWhenLoaded(job: Job, event: Event | null): Promise<void> {
    const refetched = this.#options.refetch(calendarsOf(job.edit, event));
    if (!(await this.#arrives(job.key, event))) await this.#options.reload();
    await refetched;
    this.#forget(job);
  }

  /** Whether messages bring the written event in time. */
  #arrives(key: string, event: Event | null): Promise<boolean> {
    const isLoaded = () => {
      const data = this.#options.serverData();
      const write = this.#edits.write(key);
      if (!data || !write || overlaid(data, [write]) === data) return true;
      return (
        event !== null && seriesIn(data.series, event).some(({ id, etag }) => id === event.id && etag === event.etag)
      );
    };
    if (isLoaded()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), MESSAGE_TIMEOUT);
      const stop = this.#options.onServerData(() => {
        if (isLoaded()) settle(true);
      });
      const settle = (arrived: boolean) => {
        clearTimeout(timer);
        stop();
        resolve(arrived);
      };
    });
  }

  #failed(job: Job, error: CalwireError, quiet: boolean): EditOutcome {
    const { key, edit } = job;
    if (isAmbiguous(error)) {
      job.state = { phase: 'unknown' };
      this.#edits.remove(key);
      if (!quiet) this.#edits.notify(key, edit, 'unknown', { error });
      return { status: 'unknown', id: key, error };
    }
    const conflict = conflictOf(error);
    if (!conflict) return this.#rejected(job, error, quiet);
    this.#forget(job);
    if (!quiet) this.#edits.notify(key, edit, 'conflict', { error, conflict });
    return { status: 'conflict', error, conflict };
  }

  #rejected(job: Job, error: CalwireError, quiet: boolean): EditOutcome {
    this.#forget(job);
    if (!quiet) this.#edits.notify(job.key, job.edit, 'rejected', { error });
    return { status: 'rejected', error };
  }

  #baseOf(job: Job): string {
    return (job.base ??= this.#etags.of(job.edit));
  }

  #show({ key, edit }: Job, phase: Phase): void {
    const version = edit.kind === 'create' ? '' : versionIn(this.#options.serverData(), edit.event);
    const calendarId = edit.kind === 'create' ? edit.calendarId : edit.event.calendarId;
    const known = this.#options.knownSeries(calendarId);
    this.#edits.add({ key, edit, phase, version, known, answer: null });
  }

  #forget({ key }: Job): void {
    this.#jobs.delete(key);
    this.#edits.remove(key);
  }
}

function calendarsOf(edit: Edit, event: Event | null): Set<string> {
  const calendars = new Set(edit.kind === 'create' ? [edit.calendarId] : [edit.event.calendarId]);
  if (edit.kind === 'move') calendars.add(edit.destinationCalendarId);
  if (event) calendars.add(event.calendarId);
  return calendars;
}
