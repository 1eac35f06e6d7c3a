import 'fake-indexeddb/auto';

import { act, cleanup, render } from '@testing-library/react';
import { IDBFactory } from 'fake-indexeddb';
import type { ReactElement, ReactNode } from 'react';
import { afterEach, beforeEach, expect, vi } from 'vitest';

import { CalwireProvider, type CalwireProviderProps } from '../src/react/provider.js';
import { API_URL, FakeStack, tokenOf, WS_URL } from './fake-stack.js';

export const NOW = Date.parse('2026-11-24T09:30:00Z');

/** A new stack, a new browser and a clock that stands still, for each test of the file. */
export function fakeStackPerTest(): { stack: FakeStack } {
  const made = { stack: new FakeStack() };
  beforeEach(() => {
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
    vi.useFakeTimers({ now: NOW, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
    vi.stubGlobal('indexedDB', new IDBFactory());
    made.stack = new FakeStack();
    made.stack.install();
    hide(false);
  });
  afterEach(async () => {
    cleanup();
    // The socket outlives its last user by a grace.
    await vi.advanceTimersByTimeAsync(2_000);
    vi.clearAllTimers();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  return made;
}

/** Lets so much time pass, and whatever happens in it. */
export async function pass(ms = 50): Promise<void> {
  await act(async () => {
    const step = Math.max(1, Math.ceil(ms / 20));
    for (let left = ms; left > 0; left -= step) {
      await vi.advanceTimersByTimeAsync(Math.min(step, left));
      // IndexedDB and promises work in real time.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
}

/** Begins something, and lets it come to its end. */
export async function during(work: () => Promise<unknown>): Promise<void> {
  const ended = vi.fn();
  act(() => void work().finally(ended));
  await pass();
  expect(ended).toHaveBeenCalled();
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

/** Renders a hook below a provider, and keeps every answer it gave. */
export function renderHookIn<T>(hook: () => T, given?: Given) {
  const answers: T[] = [];
  function Probe(): null {
    answers.push(hook());
    return null;
  }
  const view = render(provided(<Probe />, given));
  return {
    answers,
    get last(): T {
      const last = answers.at(-1);
      if (last === undefined) throw new Error('nothing was rendered');
      return last;
    },
    rerender: (given?: Given) => view.rerender(provided(<Probe />, given)),
    unmount: view.unmount,
  };
}
