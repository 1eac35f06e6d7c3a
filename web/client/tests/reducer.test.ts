import { describe, expect, it } from 'vitest';

import { apply, eventsOf, fromSnapshot, type LiveData, type Outcome } from '../src/core/reducer.js';
import type { Event } from '../src/generated/types.js';
import { anEvent, DAY, iso, ModelServer } from './model-server.js';

const NOW = Date.parse('2026-11-24T09:30:00Z');

function weekly(days: number[], title = 'weekly'): Event[] {
  return days.map((day) => {
    const start = NOW + day * DAY;
    const times = { start: iso(start), end: iso(start + 3_600_000) };
    return anEvent({ id: `s_${day}`, eventId: 's', recurringEventId: 's', title, ...times });
  });
}

const applied = (outcome: Outcome): LiveData => {
  if (outcome.kind !== 'applied') throw new Error(outcome.kind);
  return outcome.data;
};
const shown = (data: LiveData) => [...eventsOf(data)].map(({ id, title }) => `${id} ${title}`).sort();

describe('a message', () => {
  it('replaces all occurrences of a series and no others', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([0, 7, 14]));
    server.write('work', 'other', [anEvent({ id: 'other' })]);
    const data = fromSnapshot(server.state(true));
    const next = applied(apply(data, server.change('work', 's', weekly([1, 8], 'moved'))));
    expect(shown(next)).toEqual(['other other', 's_1 moved', 's_8 moved']);
    expect(shown(data)).toHaveLength(4);
    expect(shown(applied(apply(next, server.change('work', 's', []))))).toEqual(['other other']);
  });

  it('does not affect events outside its window', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([-6, 0, 41]));
    const data = fromSnapshot(server.state(true));
    server.today += 3 * DAY;
    const next = applied(apply(data, server.change('work', 's', weekly([0, 44], 'renamed'))));
    // The first is before the message's window; the last is after the browser's.
    expect(shown(next)).toEqual(['s_-6 weekly', 's_0 renamed']);
    expect(next.window).toEqual(data.window);
  });

  it('is applied once, if it is the next', () => {
    const server = new ModelServer(NOW);
    const data = fromSnapshot(server.state(true));
    const [first, second] = [server.change('work', 's', weekly([0])), server.change('work', 's', weekly([1]))];
    expect(apply(data, second)).toEqual({ kind: 'gap' });
    const next = applied(apply(data, first));
    expect(next.seq).toBe(1);
    expect(apply(next, first)).toEqual({ kind: 'seen' });
    expect(apply(next, second).kind).toBe('applied');
  });

  it('without the changed events requires a load', () => {
    const server = new ModelServer(NOW);
    const data = fromSnapshot(server.state(true));
    const seq = { v: 1, seq: 1 };
    expect(apply(data, { ...seq, type: 'resync', calendarId: 'work' })).toEqual({ kind: 'reload' });
    expect(apply(data, { ...seq, type: 'calendars.changed' })).toEqual({ kind: 'reload' });
    const connection = { connectionId: 'c', state: 'reauth_required' } as const;
    expect(apply(data, { ...seq, type: 'connection.changed', ...connection })).toEqual({ kind: 'reload' });
  });

  it('about a resolved write changes only the sequence number', () => {
    const server = new ModelServer(NOW);
    const data = fromSnapshot(server.state(true));
    const resolved = { idempotencyKey: 'k', intentId: 'i', state: 'done', reason: null } as const;
    const next = applied(apply(data, { v: 1, seq: 1, type: 'write.resolved', ...resolved }));
    expect(next).toEqual({ ...data, seq: 1 });
  });

  it('updates the freshness, unless the calendar was behind', () => {
    const server = new ModelServer(NOW);
    const data = fromSnapshot(server.state(true));
    const message = server.change('work', 's', weekly([0]));
    expect(applied(apply(data, message)).freshness).toEqual(server.freshness);
    for (const mode of ['stale', 'paused'] as const) {
      const behind = { ...data, freshness: data.freshness.map((calendar) => ({ ...calendar, mode })) };
      expect(apply(behind, message)).toEqual({ kind: 'reload' });
    }
    expect(apply({ ...data, freshness: [] }, message)).toEqual({ kind: 'reload' });
  });
});
