/** Deduplication of meetings, by the server's rule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { mergeDuplicates } from '../src/core/duplicates.js';
import type { Event } from '../src/generated/types.js';
import { anEvent } from './model-server.js';
import vectors from './vectors/copies.json' with { type: 'json' };

interface Case {
  calendar: string;
  id: string;
  iCalUID?: string | null;
  series?: string;
  rank?: number;
  answer?: string;
}

const calendarId = (letter: string) => [8, 4, 4, 4, 12].map((length) => letter.repeat(length)).join('-');

function event({ calendar, id, iCalUID, series, rank, answer }: Case): Event {
  const guest = (self: boolean, responseStatus: string) => ({
    email: null,
    displayName: null,
    self,
    optional: false,
    responseStatus,
  });
  return {
    ...anEvent({ id, eventId: id, calendarId: calendarId(calendar), recurringEventId: series ?? null }),
    iCalUID: iCalUID ?? null,
    attendees: [guest(false, 'accepted'), ...(answer === undefined ? [] : [guest(true, answer)])],
    ...(rank !== undefined && { copyRank: rank }),
  };
}

function shown({ calendarId, id, copies }: Event) {
  const listed = copies?.map((copy) => {
    expect(copy.eventId).toBe(copy.id);
    const { responseStatus: answer } = copy;
    return { calendar: copy.calendarId.slice(0, 1), id: copy.id, ...(answer !== null && { answer }) };
  });
  return { calendar: calendarId.slice(0, 1), id, ...(listed && { copies: listed }) };
}

describe('duplicates of a meeting', () => {
  it.each(vectors.cases)('$name', ({ events, shown: expected }) => {
    expect(mergeDuplicates(events.map((one) => event(one as Case))).map(shown)).toEqual(expected);
  });

  it('are merged once, and a second pass changes nothing', () => {
    const one = fc.record({
      calendar: fc.constantFrom('a', 'b', 'c'),
      id: fc.constantFrom('x', 'y'),
      iCalUID: fc.constantFrom('m', 'n'),
      rank: fc.nat(3),
    });
    const different = fc.uniqueArray(one, { selector: ({ calendar, iCalUID }) => calendar + iCalUID });
    fc.assert(
      fc.property(different, (list) => {
        const merged = mergeDuplicates(list.map(event));
        expect(mergeDuplicates(merged)).toBe(merged);
        const listed = merged.reduce((count, { copies }) => count + (copies?.length ?? 1), 0);
        expect(listed).toBe(list.length);
      }),
    );
  });
});
