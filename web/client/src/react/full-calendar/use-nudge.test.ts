import { act, renderHook } from '@testing-library/react';
import type { KeyboardEvent } from 'react';
import { describe, expect, it, vi } from 'vitest';

import { event } from '../widgets/testing.js';
import { keyOf } from './chip.js';
import { nudge, useNudge } from './use-nudge.js';

const ZONE = 'Europe/Berlin';
const timed = event({ id: 'e', start: '2027-03-27T09:00:00Z', end: '2027-03-27T10:00:00Z' });
const whole = event({ id: 'd', start: '2026-11-24', end: '2026-11-25', allDay: true });
const plain = (key: string) => ({ key, shiftKey: false });
const shifted = (key: string) => ({ key, shiftKey: true });

describe('an event moved by keyboard', () => {
  it('moves by quarter hours and local days in a week', () => {
    expect(nudge(timed, plain('ArrowDown'), 'week', ZONE)).toMatchObject({ start: '2027-03-27T09:15:00.000Z' });
    expect(nudge(timed, plain('ArrowUp'), 'week', ZONE)).toMatchObject({ end: '2027-03-27T09:45:00.000Z' });
    // The clocks change in that night.
    expect(nudge(timed, plain('ArrowRight'), 'week', ZONE)).toEqual({
      start: '2027-03-28T08:00:00.000Z',
      end: '2027-03-28T09:00:00.000Z',
      allDay: false,
    });
  });

  it('moves by weeks in a month', () => {
    expect(nudge(timed, plain('ArrowUp'), 'month', ZONE)).toMatchObject({ start: '2027-03-20T09:00:00.000Z' });
    expect(nudge(whole, plain('ArrowDown'), 'month', ZONE)).toEqual({
      start: '2026-12-01',
      end: '2026-12-02',
      allDay: true,
    });
  });

  it('changes its length with Shift, but not to zero', () => {
    expect(nudge(timed, shifted('ArrowDown'), 'week', ZONE)).toMatchObject({
      start: timed.start,
      end: '2027-03-27T10:15:00.000Z',
    });
    const short = event({ id: 's', start: '2027-03-27T09:00:00Z', end: '2027-03-27T09:15:00Z' });
    expect(nudge(short, shifted('ArrowUp'), 'week', ZONE)).toBeNull();
    expect(nudge(whole, shifted('ArrowRight'), 'week', ZONE)).toMatchObject({ end: '2026-11-26' });
    expect(nudge(whole, shifted('ArrowLeft'), 'week', ZONE)).toBeNull();
  });

  it('ignores other keys', () => {
    expect(nudge(timed, plain('Enter'), 'week', ZONE)).toBeNull();
  });
});

it('a deleted event is not moved as well', () => {
  vi.useFakeTimers();
  const own = { ...timed, canEdit: ['start', 'end', 'colorId'] };
  const editing = {
    add: vi.fn(),
    edit: vi.fn(),
    respond: vi.fn(),
    stateOf: () => null,
    remove: vi.fn(),
    change: vi.fn(),
  };
  const { result } = renderHook(() => useNudge({ events: [own], layout: 'week', zone: ZONE, editing }));
  const target = document.createElement('div');
  target.className = 'calwire-fc-event';
  target.append(Object.assign(document.createElement('p'), { className: 'calwire-chip' }));
  target.firstElementChild?.setAttribute('data-event', keyOf(own));
  const press = (given: Partial<KeyboardEvent>) => {
    const keys = {
      target,
      shiftKey: false,
      altKey: false,
      preventDefault: vi.fn(),
      stopPropagation: vi.fn(),
      ...given,
    };
    act(() => result.current.handlers.onKeyDown(keys as unknown as KeyboardEvent));
  };
  press({ key: 'ArrowDown', altKey: true });
  expect(result.current.events[0]?.start).toBe('2027-03-27T09:15:00.000Z');
  press({ key: 'Delete' });
  act(() => void vi.advanceTimersByTime(1_000));
  expect(editing.change).not.toHaveBeenCalled();
  expect(editing.remove).toHaveBeenCalledExactlyOnceWith(own);
  expect(result.current.events[0]).toBe(own);
  vi.useRealTimers();
});
