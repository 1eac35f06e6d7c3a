import type { Event } from '../generated/types.js';
import type { Edit } from './edit.js';
import { type EditNotice, type EditState, NO_EDITS } from './edit-outcome.js';
import type { Phase, Write } from './overlay.js';
import { Store } from './store.js';

/** The edits that the page shows and the notices about them. After `close` it does not change any more. */
export class EditStore {
  readonly state = new Store<EditState>(NO_EDITS);
  #closed = false;

  write(key: string): Write | undefined {
    return this.state.get().writes.find((write) => write.key === key);
  }

  add(write: Write): void {
    if (!this.write(write.key)) this.#change({ writes: [...this.state.get().writes, write] });
  }

  update(key: string, change: { phase: Phase; answer?: Event | null }): void {
    const { writes } = this.state.get();
    this.#change({ writes: writes.map((write) => (write.key === key ? { ...write, ...change } : write)) });
  }

  remove(key: string): void {
    this.#change({ writes: this.state.get().writes.filter((write) => write.key !== key) });
  }

  notice(id: string): EditNotice | undefined {
    return this.state.get().notices.find((notice) => notice.id === id);
  }

  notify(id: string, edit: Edit, kind: EditNotice['kind'], details: Partial<EditNotice> = {}): void {
    const others = this.state.get().notices.filter((notice) => notice.id !== id);
    this.#change({ notices: [...others, { id, edit, kind, error: null, conflict: null, ...details }] });
  }

  dismiss(id: string): void {
    this.#change({ notices: this.state.get().notices.filter((notice) => notice.id !== id) });
  }

  close(): void {
    this.#closed = true;
    this.state.set(NO_EDITS);
  }

  #change(change: Partial<EditState>): void {
    if (!this.#closed) this.state.set({ ...this.state.get(), ...change });
  }
}
