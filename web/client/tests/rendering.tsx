import 'fake-indexeddb/auto';

import { act, cleanup, render } from '@testing-library/react';
import { IDBFactory } from 'fake-indexeddb';
import type { ReactElement, ReactNode } from 'react';
import { afterEach, beforeEach, expect, vi } from 'vitest';

import type { Event } from '../src/generated/types.js';
import { CalwireProvider, type CalwireProviderProps } from '../src/react/provider.js';
import { API_URL, FakeStack, tokenOf, WS_URL } from './fake-stack.js';
import { anEvent } from './model-server.js';

export const NOW = Date.parse('2026-11-24T09:30:00Z');

/** The fake stack of the current test. */
class PerTest {
  stack = new FakeStack();

  /** Changes an event without a message. */
  write(userId: string, id: string, given: Partial<Event> = {}): void {
    this.stack.user(userId).write('work', id, [anEvent({ id, ...given })]);
  }

  /** Changes an event and publishes the message. */
  change(userId: string, id: string, given: Partial<Event> = {}): void {
    const message = this.stack.user(userId).change('work', id, [anEvent({ id, ...given })]);
    this.stack.publish(userId, message);
  }
}

export const titles = ({ events }: { events: Event[] }) => events.map(({ title }) => title);

/** Creates a stack, an empty IndexedDB and a fake clock before each test of the file. */
export function fakeStackPerTest(): PerTest {
  const fake = new PerTest();
  beforeEach(() => {
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
    vi.useFakeTimers({ now: NOW, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
    vi.stubGlobal('indexedDB', new IDBFactory());
    fake.stack = new FakeStack();
    fake.stack.install();
    hide(false);
  });
  afterEach(async () => {
    cleanup();
    // The socket closes after a grace period.
    await vi.advanceTimersByTimeAsync(2_000);
    vi.clearAllTimers();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  return fake;
}

/** Advances the clock and runs everything that is due. */
export async function pass(ms = 50): Promise<void> {
  await act(async () => {
    const step = Math.max(1, Math.ceil(ms / 20));
    for (let left = ms; left > 0; left -= step) {
      await vi.advanceTimersByTimeAsync(Math.min(step, left));
      // IndexedDB and promises use real time.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
}

/** Starts an async action and waits until it has finished. */
export async function during(work: () => Promise<unknown>): Promise<void> {
  const finished = vi.fn();
  act(() => void work().finally(finished));
  await pass();
  expect(finished).toHaveBeenCalled();
}

export function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}

type Given = Partial<Omit<CalwireProviderProps, 'children'>>;

export function provided(children: ReactNode, { userId = 'alice', ...given }: Given = {}): ReactElement {
  const getAuthToken = () => (userId === null ? null : tokenOf(userId));
  return (
    <CalwireProvider apiUrl={API_URL} wsUrl={WS_URL} getAuthToken={getAuthToken} userId={userId} {...given}>
      {children}
    </CalwireProvider>
  );
}

/** Renders a hook within a provider and records its results. */
export function renderHookIn<T>(hook: () => T, given?: Given) {
  const results: T[] = [];
  function Probe(): null {
    results.push(hook());
    return null;
  }
  const view = render(provided(<Probe />, given));
  return {
    results,
    get last(): T {
      const last = results.at(-1);
      if (last === undefined) throw new Error('nothing was rendered');
      return last;
    },
    rerender: (given?: Given) => view.rerender(provided(<Probe />, given)),
    unmount: view.unmount,
  };
}
