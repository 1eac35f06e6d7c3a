/**
 * Edits on their way to the server, each of them once.
 *
 * - A thing that a person does has one idempotency key. Doing the same again at once is the same thing, and a try after a
 *   lost answer is the same request.
 * - Edits of one event go one after the other, each based on what the one before it has made.
 * - An edit is shown at once (`overlay.ts`). It is taken back when it is refused, and given up for what the server tells
 *   as soon as that has it.
 * - What is deleted is kept from the server while it can be undone: so nobody is told of it twice, nor in vain. It is
 *   sent when that time is over.
 * - When the page is left, or its user, what was not answered yet is sent once more, without waiting for anything. The
 *   server does not put edits of one event in order, so one that has to wait for an earlier one may then collide with it:
 *   that is why the page asks before it is left meanwhile.
 */
import type { Event, Message, WrittenEvent } from '../generated/types.js';
import type { Api } from './api.js';
import type { EditConflict } from './conflict.js';
import { CalwireError } from './error.js';
import { type Edit, isUnnamed } from './edit.js';
import { seriesOf } from './occurrence.js';
import { overlaid, type Phase, versionIn, type Write } from './overlay.js';
import type { LiveData } from './reducer.js';
import { inputOf, procedures, type Sent, send } from './send-edit.js';
import { Store } from './store.js';

export const UNDO_FOR = 8_000;
/** The same thing within so short a time is a double click. */
const TWICE_WITHIN = 1_000;
/** Between tries after an answer was lost. */
const TRY_AGAIN_AFTER = [1_000, 3_000];
/** The end of a pending write is told; if that was missed, it is asked for. */
const ASK_EVERY = 30_000;
/** A message is here before that, or the socket is not as live as it seems. */
const MESSAGE_WITHIN = 2_000;

/** What came of an edit. */
export type EditOutcome =
  | { status: 'done'; event: Event | null; merged: boolean }
  /** The server goes on by itself; what comes of it is `end`. */
  | { status: 'pending'; id: string; end: Promise<EditOutcome> }
  /** It was not done, for this reason. */
  | { status: 'refused'; error: CalwireError }
  /** Whether it was done is not known; `retry(id)` is the same request and finds out. */
  | { status: 'lost'; id: string; error: CalwireError }
  | { status: 'conflict'; error: CalwireError; conflict: EditConflict }
  | { status: 'undone' };

export interface EditNotice {
  /** Of the edit. */
  id: string;
  edit: Edit;
  /** `deleted`: can be undone. `pending`, `saved`: goes on by itself, and then has ended well. */
  kind: 'deleted' | 'pending' | 'saved' | 'merged' | 'refused' | 'lost' | 'conflict';
  error: CalwireError | null;
  conflict: EditConflict | null;
}

export interface EditState {
  writes: readonly Write[];
  /** What a person has to be told, the newest last. */
  notices: readonly EditNotice[];
}

export const NO_EDITS: EditState = { writes: [], notices: [] };

export interface EditOptions {
  /** Whoever asked shows what went wrong: no notice of it. */
  quiet?: boolean | undefined;
  /** For how long a deletion can be undone, in milliseconds. */
  undoFor?: number | undefined;
}

export interface WritesOptions {
  api: Api;
  /** Sends something while the page goes. */
  lastWord: (procedure: string, input: unknown) => void;
  /** What the server has told. */
  told: () => LiveData | null;
  /** Calls back when that has become more. */
  onTold: (callback: () => void) => () => void;
  /** The series of a calendar that are known anywhere on the page. */
  known: (calendarId: string) => ReadonlySet<string>;
  /** Loads what is there now. */
  reload: () => Promise<void>;
  /** Asks anew for lists that show events of these calendars. */
  refetch: (calendarIds: ReadonlySet<string>) => Promise<void>;
}

interface Job {
  key: string;
  edit: Edit;
  options: EditOptions;
  done: Promise<EditOutcome>;
  /** What it is based on: fixed when it is first sent, for the same request has to be the same. */
  base?: string;
  undo?: (() => void) | undefined;
  /** Ends the time in which it can be undone. */
  hurry?: (() => void) | undefined;
  hold?: ((held: boolean) => void) | undefined;
  /** The server told that it has ended, perhaps before it was known here that it would go on by itself. */
  isResolved?: boolean;
  onResolved?: (() => void) | undefined;
}

export class Writes {
  readonly state = new Store<EditState>(NO_EDITS);
  readonly #options: WritesOptions;
  readonly #jobs = new Map<string, Job>();
  /** Of each event, the edits that are under way. */
  readonly #queues = new Map<string, Promise<unknown>>();
  /** What an edit has made of a version: edits of that version are based on it. */
  readonly #followers = new Map<string, string>();
  /** How many edits wait for an earlier one. */
  #waiting = 0;
  #last: { text: string; at: number; done: Promise<EditOutcome> } | undefined;
  #closed = false;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  /** Does something that a person wants. Never rejects. */
  begin(edit: Edit, options: EditOptions = {}): Promise<EditOutcome> {
    const text = JSON.stringify(edit);
    const last = this.#last;
    if (last && last.text === text && Date.now() - last.at < TWICE_WITHIN) return last.done;
    const key = crypto.randomUUID();
    const job: Job = { key, edit, options, done: Promise.resolve({ status: 'undone' }) };
    this.#jobs.set(key, job);
    this.#show(job);
    job.done = edit.kind === 'delete' && options.undoFor !== 0 ? this.#afterUndo(job) : this.#queued(job);
    this.#last = { text, at: Date.now(), done: job.done };
    return job.done;
  }

  /** Sends an edit again whose answer was lost: the same request, so it is done once. */
  retry(id: string): Promise<EditOutcome> {
    const job = this.#jobs.get(id);
    if (!job) return Promise.resolve({ status: 'undone' });
    this.dismiss(id);
    this.#show(job);
    job.done = this.#queued(job);
    return job.done;
  }

  /** Takes back a deletion that was not sent yet. */
  undo(id: string): void {
    this.#jobs.get(id)?.undo?.();
  }

  /** Keeps a deletion from being sent while somebody is about to undo it. */
  hold(id: string, held: boolean): void {
    this.#jobs.get(id)?.hold?.(held);
  }

  /** The person has seen it. What can be undone is then done. */
  dismiss(id: string): void {
    this.#jobs.get(id)?.hurry?.();
    this.#change({ notices: this.state.get().notices.filter((notice) => notice.id !== id) });
  }

  /** Nobody looks: sends what waits to be undone. By the time a token is asked for, it may be another user's. */
  flush(): void {
    this.leave(['undoable']);
    for (const job of this.#jobs.values()) job.hurry?.();
  }

  /** The page or the user goes: sends what has no answer, and hears of none. Coming back, the page asks for it. */
  leave(phases: readonly Phase[] = ['undoable', 'sending']): void {
    for (const { key, edit, phase } of this.state.get().writes) {
      const job = this.#jobs.get(key);
      if (!job || !phases.includes(phase)) continue;
      job.base ??= this.#baseOf(edit);
      this.#options.lastWord(`calendar.google.${procedures[edit.kind]}`, inputOf(key, edit, job.base));
    }
  }

  close(): void {
    this.leave();
    this.#closed = true;
    this.state.set(NO_EDITS);
    removeEventListener('beforeunload', this.#ask);
  }

  onMessages(messages: readonly Message[]): void {
    for (const message of messages) {
      const job = message.type === 'write.resolved' && this.#jobs.get(message.idempotencyKey);
      if (!job) continue;
      job.isResolved = true;
      job.onResolved?.();
    }
  }

  #afterUndo(job: Job): Promise<EditOutcome> {
    const { key, edit } = job;
    this.#tell({ id: key, edit, kind: 'deleted', error: null, conflict: null });
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = () => {
        clearTimeout(timer);
        job.undo = job.hurry = job.hold = undefined;
        this.#change({ notices: this.state.get().notices.filter(({ id }) => id !== key) });
      };
      job.undo = () => {
        end();
        this.#last = undefined;
        this.#forget(job);
        resolve({ status: 'undone' });
      };
      job.hurry = () => {
        end();
        resolve(this.#queued(job));
      };
      job.hold = (held) => {
        clearTimeout(timer);
        timer = held ? undefined : setTimeout(() => job.hurry?.(), job.options.undoFor ?? UNDO_FOR);
      };
      job.hold(false);
    });
  }

  /** After the edits of the same event that were made before. */
  #queued(job: Job): Promise<EditOutcome> {
    const { edit } = job;
    this.#update(job.key, { phase: 'sending' });
    if (edit.kind === 'create') return this.#run(job);
    const name = `${edit.event.calendarId} ${seriesOf(edit.event)}`;
    const before = this.#queues.get(name);
    const run = before ? this.#after(before, job) : this.#run(job);
    const settled = run.then((outcome) => (outcome.status === 'pending' ? outcome.end : outcome));
    this.#queues.set(name, settled);
    void settled.then(() => {
      if (this.#queues.get(name) === settled) this.#queues.delete(name);
    });
    return run;
  }

  /** The server knows nothing of it yet, and the one before it may take as long as Google cannot be reached. */
  async #after(before: Promise<unknown>, job: Job): Promise<EditOutcome> {
    this.#waiting += 1;
    addEventListener('beforeunload', this.#ask);
    await before;
    this.#waiting -= 1;
    if (this.#waiting === 0) removeEventListener('beforeunload', this.#ask);
    return this.#run(job);
  }

  /** Has the browser ask whether the page is to be left. */
  readonly #ask = (event: BeforeUnloadEvent): void => event.preventDefault();

  async #run(job: Job): Promise<EditOutcome> {
    const { key, edit } = job;
    if (this.#closed) return { status: 'undone' };
    if (edit.kind !== 'create' && isUnnamed(edit.event)) return this.#refused(job, notYet());
    const base = (job.base ??= this.#baseOf(edit));
    try {
      const sent = await this.#insist(() => send(this.#options.api, key, edit, base));
      return sent.pending ? this.#pending(job) : this.#landed(job, sent);
    } catch (cause) {
      return this.#failed(job, CalwireError.of(cause));
    }
  }

  /** Again where the answer was lost: the same request, which is done once however often it is sent. */
  async #insist(ask: () => Promise<Sent>): Promise<Sent> {
    for (const wait of TRY_AGAIN_AFTER) {
      try {
        return await ask();
      } catch (cause) {
        const error = CalwireError.of(cause);
        if (!isLost(error) || !navigator.onLine) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return ask();
  }

  #pending(job: Job): EditOutcome {
    const { key, edit } = job;
    this.#update(key, { phase: 'pending' });
    if (!this.#notice(key)) this.#tell({ id: key, edit, kind: 'pending', error: null, conflict: null });
    return { status: 'pending', id: key, end: this.#end(job) };
  }

  /** What became of a write with which the server went on by itself. */
  async #end(job: Job): Promise<EditOutcome> {
    if (!job.isResolved) {
      await new Promise<void>((resolve) => {
        job.onResolved = resolve;
        setTimeout(resolve, ASK_EVERY);
      });
    }
    job.isResolved = false;
    // Whoever asked has gone on meanwhile.
    job.options = { ...job.options, quiet: false };
    const outcome = await this.#run(job);
    if (outcome.status === 'pending') return outcome.end;
    // Nobody can tell yet: it is asked for as long as the page is there.
    if (outcome.status === 'lost' && !this.#closed) {
      this.#show(job);
      this.#update(job.key, { phase: 'pending' });
      return this.#end(job);
    }
    if (outcome.status === 'done' && this.#notice(job.key)?.kind === 'pending') this.#say(job, 'saved');
    return outcome;
  }

  #landed(job: Job, { event, merged }: Sent): EditOutcome {
    const { key, edit } = job;
    // What somebody else has changed was not seen yet: an edit that was begun before does not write over it.
    if (event && !merged && edit.kind !== 'create') this.#follow(edit.event, event);
    this.#update(key, { phase: 'landed', answer: event });
    if (merged) this.#say(job, 'merged');
    void this.#giveUp(job, event);
    return { status: 'done', event, merged };
  }

  /** Takes the edit off what the server told, once that has it. */
  async #giveUp(job: Job, event: Event | null): Promise<void> {
    const calendars = calendarsOf(job.edit, event);
    const listed = this.#options.refetch(calendars);
    if (!(await this.#isTold(job.key, event))) await this.#options.reload();
    await listed;
    this.#forget(job);
  }

  /** Whether the server's events come to have it by themselves, soon. */
  #isTold(key: string, event: Event | null): Promise<boolean> {
    const has = () => {
      const data = this.#options.told();
      const write = this.state.get().writes.find((each) => each.key === key);
      if (!data || !write || overlaid(data, [write]) === data) return true;
      const series = event && data.series.get(event.calendarId)?.get(seriesOf(event));
      return series?.some(({ id, etag }) => id === event?.id && etag === event.etag) ?? false;
    };
    if (has()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), MESSAGE_WITHIN);
      const stop = this.#options.onTold(() => {
        if (has()) settle(true);
      });
      const settle = (told: boolean) => {
        clearTimeout(timer);
        stop();
        resolve(told);
      };
    });
  }

  #failed(job: Job, error: CalwireError): EditOutcome {
    const { key, edit } = job;
    if (isLost(error)) {
      this.#hide(key);
      if (!job.options.quiet) this.#tell({ id: key, edit, kind: 'lost', error, conflict: null });
      return { status: 'lost', id: key, error };
    }
    const conflict = conflictOf(error);
    if (!conflict) return this.#refused(job, error);
    this.#forget(job);
    if (!job.options.quiet) this.#tell({ id: key, edit, kind: 'conflict', error, conflict });
    return { status: 'conflict', error, conflict };
  }

  #refused(job: Job, error: CalwireError): EditOutcome {
    this.#forget(job);
    if (!job.options.quiet) this.#tell({ id: job.key, edit: job.edit, kind: 'refused', error, conflict: null });
    return { status: 'refused', error };
  }

  /** An edit of a version that an earlier edit has changed meanwhile is an edit of what that made. */
  #follow(before: Event, after: Event): void {
    if (before.etag !== after.etag) this.#followers.set(versionName(before), after.etag);
  }

  #baseOf(edit: Edit): string {
    if (edit.kind === 'create') return '';
    let { etag } = edit.event;
    for (let next = this.#followers.get(versionName(edit.event)); next !== undefined && next !== etag;) {
      etag = next;
      next = this.#followers.get(versionName({ ...edit.event, etag }));
    }
    return etag;
  }

  #show({ key, edit, options }: Job): void {
    const { writes } = this.state.get();
    if (writes.some((write) => write.key === key)) return;
    const version = edit.kind === 'create' ? '' : versionIn(this.#options.told(), edit.event);
    const calendarId = edit.kind === 'create' ? edit.calendarId : edit.event.calendarId;
    const phase = edit.kind === 'delete' && options.undoFor !== 0 ? 'undoable' : 'sending';
    const known = this.#options.known(calendarId);
    this.#change({ writes: [...writes, { key, edit, phase, version, known, answer: null }] });
  }

  #update(key: string, change: Partial<Write>): void {
    const { writes } = this.state.get();
    this.#change({ writes: writes.map((write) => (write.key === key ? { ...write, ...change } : write)) });
  }

  #hide(key: string): void {
    this.#change({ writes: this.state.get().writes.filter((write) => write.key !== key) });
  }

  #forget({ key }: Job): void {
    this.#jobs.delete(key);
    this.#hide(key);
  }

  #notice(id: string): EditNotice | undefined {
    return this.state.get().notices.find((notice) => notice.id === id);
  }

  #say({ key, edit }: Job, kind: EditNotice['kind']): void {
    this.#tell({ id: key, edit, kind, error: null, conflict: null });
  }

  #tell(notice: EditNotice): void {
    const others = this.state.get().notices.filter(({ id }) => id !== notice.id);
    this.#change({ notices: [...others, notice] });
  }

  #change(change: Partial<EditState>): void {
    if (!this.#closed) this.state.set({ ...this.state.get(), ...change });
  }
}

/** Nobody answered, or nobody who knows. */
function isLost(error: CalwireError): boolean {
  const unknown = [
    'NETWORK',
    'TIMEOUT',
    'GATEWAY_TIMEOUT',
    'BAD_GATEWAY',
    'SERVICE_UNAVAILABLE',
    'INTERNAL_SERVER_ERROR',
  ];
  return error.reason === undefined && unknown.includes(error.code);
}

function conflictOf({ reason, data }: CalwireError): EditConflict | null {
  return reason === 'EDIT_CONFLICT' && data ? (data as unknown as EditConflict) : null;
}

function notYet(): CalwireError {
  return new CalwireError('CONFLICT', 'This event is still being made. Try again in a moment.', { reason: 'UNNAMED' });
}

function versionName({ calendarId, id, etag }: Pick<Event, 'calendarId' | 'id' | 'etag'>): string {
  return `${calendarId} ${id} ${etag}`;
}

function calendarsOf(edit: Edit, event: WrittenEvent['event']): Set<string> {
  const calendars = new Set(edit.kind === 'create' ? [edit.calendarId] : [edit.event.calendarId]);
  if (edit.kind === 'move') calendars.add(edit.destinationCalendarId);
  if (event) calendars.add(event.calendarId);
  return calendars;
}
