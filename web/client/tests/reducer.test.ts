import { describe, expect, it } from 'vitest';

import { apply, eventsOf, fromState, type LiveData, type Missing } from '../src/core/reducer.js';
import type { Event } from '../src/generated/types.js';
import { anEvent, anInstance, dataOf, DAY, ModelServer } from './model-server.js';

const NOW = Date.parse('2026-11-24T09:30:00Z');

function weekly(days: number[], title = 'weekly'): Event[] {
  return days.map((day) => anInstance(NOW + day * DAY, { eventId: 's', title }));
}

const applied = (outcome: LiveData | Missing): LiveData => {
  if (typeof outcome !== 'object') throw new Error(outcome);
  return outcome;
};
const shown = (data: LiveData) => [...eventsOf(data)].map(({ id, title }) => `${id} ${title}`).sort();
const heldBy = ({ streamEpoch, seq, loaded }: LiveData) => ({
  streamEpoch,
  seq,
  window: loaded ?? { from: '', to: '' },
});

describe('a message', () => {
  it('replaces all instances of a series and no others', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([0, 7, 14]));
    server.write('work', 'other', [anEvent({ id: 'other' })]);
    const data = dataOf(server);
    const next = applied(apply(data, server.change('work', 's', weekly([1, 8], 'moved'))));
    expect(shown(next)).toEqual(['other other', 's_20261125T093000Z moved', 's_20261202T093000Z moved']);
    expect(shown(data)).toHaveLength(4);
    expect(shown(applied(apply(next, server.change('work', 's', []))))).toEqual(['other other']);
  });

  it('does not affect instances outside its window', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([-6, 0, 41]));
    const data = dataOf(server);
    server.today += 3 * DAY;
    const next = applied(apply(data, server.change('work', 's', weekly([0, 44], 'renamed'))));
    // The first is before the message's window; the last is after the browser's.
    expect(shown(next)).toEqual(['s_20261118T093000Z weekly', 's_20261124T093000Z renamed']);
    expect(next.window).toEqual(data.window);
  });

  it('is applied once, if it is the next', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const [first, second] = [server.change('work', 's', weekly([0])), server.change('work', 's', weekly([1]))];
    expect(apply(data, second)).toBe('gap');
    const next = applied(apply(data, first));
    expect(next.seq).toBe(1);
    expect(apply(next, first)).toBe(next);
    expect(applied(apply(next, second)).seq).toBe(2);
  });

  it('without the changed events requires a load', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const seq = { v: 2, seq: 1 };
    expect(apply(data, { ...seq, type: 'resync', calendarId: 'work' })).toBe('reload');
    expect(apply(data, { ...seq, type: 'calendars.changed' })).toBe('reload');
    const connection = { connectionId: 'c', state: 'reauth_required' } as const;
    expect(apply(data, { ...seq, type: 'connection.changed', ...connection })).toBe('reload');
  });

  it('of another version requires a load', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const message = server.change('work', 's', weekly([0]));
    for (const v of [1, 3]) expect(apply(data, { ...message, v })).toBe('reload');
  });

  it('about a resolved write changes only the sequence number', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const resolved = { idempotencyKey: 'k', intentId: 'i', state: 'done', reason: null } as const;
    const next = applied(apply(data, { v: 2, seq: 1, type: 'write.resolved', ...resolved }));
    expect(next).toEqual({ ...data, seq: 1 });
  });

  it('updates the freshness, unless the calendar was behind', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const message = server.change('work', 's', weekly([0]));
    expect(applied(apply(data, message)).freshness).toEqual(server.freshness);
    for (const mode of ['stale', 'paused'] as const) {
      const behind = { ...data, freshness: data.freshness.map((calendar) => ({ ...calendar, mode })) };
      expect(apply(behind, message)).toBe('reload');
    }
    expect(apply({ ...data, freshness: [] }, message)).toBe('reload');
  });

  it('keeps the flat events of unchanged events', () => {
    const server = new ModelServer(NOW);
    const exception = { ...anInstance(NOW + DAY, { eventId: 's' }), eventId: 's_20261125T093000Z', title: 'moved' };
    server.write('work', 's', [...weekly([0, 7]), exception]);
    const data = dataOf(server);
    const renamed = { ...exception, title: 'renamed' };
    const next = applied(apply(data, server.change('work', 's', [...weekly([0, 7]), renamed])));
    const [before, after] = [data, next].map((each) => new Map([...eventsOf(each)].map((event) => [event.id, event])));
    for (const { id } of weekly([0, 7])) expect(after?.get(id)).toBe(before?.get(id));
    expect(after?.get(exception.id)).toEqual(renamed);
  });
});

describe('an answer', () => {
  it('keeps them when all events are loaded', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([0, 7]));
    server.write('work', 'other', [anEvent({ id: 'other' })]);
    const data = dataOf(server);
    server.write('work', 'other', [anEvent({ id: 'other', location: 'Room 1' })]);
    const next = fromState(server.state(), data);
    if (!next) throw new Error('no data');
    const kept = [...eventsOf(next)].filter((event) => [...eventsOf(data)].includes(event));
    expect(kept.map(({ eventId }) => eventId)).toEqual(['s', 's']);
    expect([...eventsOf(next)]).toEqual(expect.arrayContaining(server.events));
  });

  it('with messages completes the held data', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([0, 7]));
    const data = dataOf(server);
    server.change('work', 's', weekly([1, 8]));
    server.change('work', 'other', [anEvent({ id: 'other' })]);
    const state = server.state({ held: heldBy(data) });
    expect(state).toMatchObject({ snapshot: null, messages: [{ seq: 1 }, { seq: 2 }] });
    expect(fromState(state, data)).toEqual(dataOf(server));
    expect(fromState({ ...state, messages: state.messages.slice(1) }, data)).toBeNull();
    expect(fromState(state, null)).toBeNull();
  });

  it('without news makes the held data current', () => {
    const server = new ModelServer(NOW);
    server.write('work', 's', weekly([0, 7]));
    const data = { ...dataOf(server), freshness: [{ calendarId: 'work', asOf: null, mode: 'stale' }] } as const;
    const state = server.state({ held: heldBy(data) });
    expect(state).toMatchObject({ snapshot: null, messages: [] });
    const next = fromState(state, data);
    expect(next).toEqual(dataOf(server));
    expect(next?.series).toBe(data.series);
  });

  it('about other calendars does not fit', () => {
    const server = new ModelServer(NOW);
    const data = dataOf(server);
    const state = server.state({ held: heldBy(data) });
    expect(fromState({ ...state, calendars: [] }, data)).toBeNull();
  });
});
