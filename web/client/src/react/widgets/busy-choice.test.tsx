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
  const ofThePerson = () => renderHook(() => useBusyChoice({ ids: undefined, onChange: undefined }));

  it('begins with the calendars that tell no more than busy times', () => {
    const { isBusyOnly } = ofThePerson().result.current;
    expect([own, work, colleague].map(isBusyOnly)).toEqual([false, false, true]);
  });

  it('keeps what the person chose, either way, for everyone on the page and for the next visit', () => {
    const [one, other] = [ofThePerson(), ofThePerson()];
    act(() => {
      one.result.current.choose(work, true);
      one.result.current.choose(colleague, false);
    });
    for (const { result } of [one, other, ofThePerson()]) {
      expect([own, work, colleague].map(result.current.isBusyOnly)).toEqual([false, true, false]);
    }
  });

  it('goes by what another tab chose, and is not upset by what is no choice', () => {
    const { result } = ofThePerson();
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

  it('lasts as long as the page where the browser keeps nothing', () => {
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new Error('full');
    });
    const { result } = ofThePerson();
    act(() => {
      result.current.choose(work, true);
    });
    expect(result.current.isBusyOnly(work)).toBe(true);
  });

  it('leaves the choice to a host that has one', () => {
    const onChange = vi.fn();
    const { result } = renderHook(() => useBusyChoice({ ids: [work.id], onChange }));
    expect([work, colleague].map(result.current.isBusyOnly)).toEqual([true, false]);
    result.current.choose(colleague, true);
    result.current.choose(work, false);
    expect(onChange.mock.calls).toEqual([[[work.id, colleague.id]], [[]]]);
    expect(localStorage.length).toBe(0);
  });
});
