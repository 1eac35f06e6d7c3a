import { act, renderHook } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { CalendarInfo } from '../../generated/types.js';
import { useBusyChoice } from './busy-choice.js';
import { Server } from './testing.js';

const [own, work] = new Server().calendars as [CalendarInfo, CalendarInfo];
const colleague: CalendarInfo = { ...work, id: 'c-dana', accessRole: 'freeBusyReader' };

beforeEach(() => {
  localStorage.clear();
});

describe('useBusyChoice', () => {
  const usersChoice = () => renderHook(() => useBusyChoice({ ids: undefined, onChange: undefined }));

  it('starts with calendars that share only busy times', () => {
    const { isBusyOnly } = usersChoice().result.current;
    expect([own, work, colleague].map(isBusyOnly)).toEqual([false, false, true]);
  });

  it('saves the user’s choice for the whole page', () => {
    const [one, other] = [usersChoice(), usersChoice()];
    act(() => {
      one.result.current.choose(work, true);
      one.result.current.choose(colleague, false);
    });
    for (const { result } of [one, other, usersChoice()]) {
      expect([own, work, colleague].map(result.current.isBusyOnly)).toEqual([false, true, false]);
    }
  });

  it('follows another tab, and ignores invalid values', () => {
    const { result } = usersChoice();
    act(() => {
      localStorage.setItem('calwire.busy-only', JSON.stringify({ [own.id]: true }));
      dispatchEvent(new StorageEvent('storage'));
    });
    expect(result.current.isBusyOnly(own)).toBe(true);
    for (const text of ['no JSON', 'null', '7']) {
      act(() => {
        localStorage.setItem('calwire.busy-only', text);
        dispatchEvent(new StorageEvent('storage'));
      });
      expect([own, colleague].map(result.current.isBusyOnly)).toEqual([false, true]);
    }
  });

  it('lasts for the page if it cannot be saved', () => {
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new Error('full');
    });
    const { result } = usersChoice();
    act(() => {
      result.current.choose(work, true);
    });
    expect(result.current.isBusyOnly(work)).toBe(true);
  });

  it('is controlled by the host’s props', () => {
    const onChange = vi.fn();
    const { result } = renderHook(() => useBusyChoice({ ids: [work.id], onChange }));
    expect([work, colleague].map(result.current.isBusyOnly)).toEqual([true, false]);
    result.current.choose(colleague, true);
    result.current.choose(work, false);
    expect(onChange.mock.calls).toEqual([[[work.id, colleague.id]], [[]]]);
    expect(localStorage.length).toBe(0);
  });
});
