import { describe, expect, it } from 'vitest';

import { nextSlot } from '../format/index.js';
import { event } from '../widgets/testing.js';
import {
  draftOf,
  eventOf,
  guestsIn,
  newDraft,
  patchOf,
  problemsOf,
  withGuests,
  withStart,
  withWhole,
} from './draft.js';
import { linesOf, repeatOf } from './repeat.js';

const ZONE = 'Europe/Berlin';
const timed = event({ id: 'e', start: '2026-11-24T12:00:00+01:00', end: '2026-11-24T12:30:00+01:00', timeZone: ZONE });

describe('a draft', () => {
  it('of an unchanged event is an empty patch', () => {
    const whole = event({ id: 'd', start: '2026-11-24', end: '2026-11-26', allDay: true, timeZone: null });
    const full = event({
      id: 'f',
      recurrence: ['RRULE:FREQ=WEEKLY;UNTIL=20261231T225959Z'],
      attendees: [
        { email: 'a@example.com', displayName: 'A', optional: true, self: false, responseStatus: 'accepted' },
      ],
      reminders: { useDefault: false, overrides: [{ method: 'popup', minutes: 10 }] },
    });
    for (const each of [timed, whole, full]) {
      const opened = draftOf(each, ZONE);
      expect(patchOf(structuredClone(opened), opened)).toEqual({});
      expect(problemsOf(opened)).toEqual({});
    }
  });

  it('uses the zone of its event', () => {
    const draft = draftOf(timed, 'America/Los_Angeles');
    expect(draft).toMatchObject({ startDate: '2026-11-24', startTime: '12:00', timeZone: ZONE });
    expect(patchOf({ ...draft, title: 'New' }, draft)).toEqual({ title: 'New' });
    expect(patchOf({ ...draft, timeZone: 'Asia/Kathmandu' }, draft)).toEqual({
      start: '2026-11-24T12:00:00+05:45',
      end: '2026-11-24T12:30:00+05:45',
      allDay: false,
      timeZone: 'Asia/Kathmandu',
    });
  });

  it('has a zone of a fixed offset', () => {
    const fixed = event({ ...timed, timeZone: 'GMT+02:00' });
    expect(draftOf(fixed, ZONE)).toMatchObject({ startTime: '13:00', timeZone: 'GMT+02:00' });
  });

  it('shows an unknown zone in the viewer’s, and keeps it', () => {
    const draft = draftOf(event({ ...timed, timeZone: 'Mars/Olympus_Mons' }), ZONE);
    expect(draft).toMatchObject({ startTime: '12:00', timeZone: ZONE });
    expect(patchOf({ ...draft, startTime: '11:00' }, draft)).toEqual({
      start: '2026-11-24T11:00:00+01:00',
      end: '2026-11-24T12:30:00+01:00',
      allDay: false,
    });
    expect(patchOf({ ...draft, title: 'New' }, draft)).toEqual({ title: 'New' });
  });

  it('clears emptied fields', () => {
    const opened = draftOf(
      event({ id: 'e', location: 'Room', description: 'Text', conferenceUrl: 'https://meet' }),
      ZONE,
    );
    const draft = { ...opened, location: '', description: '', meeting: false };
    expect(patchOf(draft, opened)).toEqual({ location: null, description: null, conference: null });
  });

  it('gets the whole texts that the event has cut', () => {
    const cut = event({ id: 'e', title: 'Review', description: 'start…', cutFields: ['description'] });
    const opened = draftOf(cut, ZONE);
    const whole = event({ ...cut, title: 'Renamed', description: 'start and end', cutFields: [] });
    expect(withWhole(opened, opened, cut, whole)).toEqual({ ...opened, description: 'start and end' });
    const edited = { ...opened, description: 'start and edited end' };
    expect(withWhole(edited, opened, cut, whole)).toEqual(edited);
  });

  it('has who sees what of it', () => {
    const opened = draftOf(event({ id: 'e', visibility: 'confidential' }), ZONE);
    expect(opened).toMatchObject({ visibility: 'private', transparency: 'opaque' });
    expect(patchOf({ ...opened, title: 'New' }, opened)).toEqual({ title: 'New' });
    const free = { ...opened, visibility: 'default', transparency: 'transparent' } as const;
    expect(patchOf(free, opened)).toEqual({ visibility: 'default', transparency: 'transparent' });
  });

  it('has an inclusive end day, unlike Google', () => {
    const opened = draftOf(timed, ZONE);
    const draft = { ...opened, allDay: true, endDate: '2026-11-25' };
    expect(patchOf(draft, opened)).toEqual({ start: '2026-11-24', end: '2026-11-26', allDay: true });
    expect(draftOf(event({ id: 'd', start: '2026-11-24', end: '2026-11-26', allDay: true }), ZONE).endDate).toBe(
      '2026-11-25',
    );
  });

  it('keeps its length when its start moves', () => {
    const late = withStart(draftOf(timed, ZONE), { startTime: '23:45' });
    expect(late).toMatchObject({ endDate: '2026-11-25', endTime: '00:15' });
    const moved = withStart(draftOf(timed, ZONE), { startDate: '2027-03-28', startTime: '01:45' });
    expect(eventOf(moved)).toMatchObject({ start: '2027-03-28T01:45:00+01:00', end: '2027-03-28T03:15:00+02:00' });
    // A date is empty while it is typed.
    expect(withStart(draftOf(timed, ZONE), { startDate: '' }).endDate).toBe('2026-11-24');
  });

  it('reports missing and reversed times', () => {
    const draft = draftOf(timed, ZONE);
    expect(problemsOf({ ...draft, endTime: '11:00' })).toEqual({ end: 'endBeforeStart' });
    expect(problemsOf({ ...draft, startDate: '', calendarId: '' })).toEqual({ start: 'start', calendarId: 'calendar' });
    const repeat = { frequency: 'daily', end: { kind: 'on', date: '2026-11-23' }, lines: [] } as const;
    expect(problemsOf({ ...draft, repeat: { ...repeat, lines: [] } })).toEqual({ repeatEnd: 'repeatEnd' });
  });

  it('of a new event contains the filled fields', () => {
    const slot = { start: '2026-11-24T08:00:00Z', end: '2026-11-24T09:00:00Z', allDay: false };
    const draft = newDraft(slot, 'c', ZONE);
    expect(eventOf({ ...draft, title: ' Lunch ', meeting: true })).toEqual({
      title: 'Lunch',
      start: '2026-11-24T09:00:00+01:00',
      end: '2026-11-24T10:00:00+01:00',
      allDay: false,
      timeZone: ZONE,
      conference: 'meet',
    });
  });
});

describe('guests', () => {
  it('are unique addresses', () => {
    expect(guestsIn('a@example.com, b@example.com')).toEqual([{ email: 'a@example.com' }, { email: 'b@example.com' }]);
    for (const text of ['name', 'Bob bob@example.com', 'a@example.com, name', 'a@b@c', '<Bob>']) {
      expect(guestsIn(text), text).toBeNull();
    }
    expect(withGuests([{ email: 'A@example.com' }], [{ email: 'a@example.com' }, { email: 'b@x' }])).toHaveLength(2);
  });

  it('can have names, in the format of mail programs', () => {
    expect(guestsIn('Bob <bob@example.com>; "Lee, Ann" <ann@example.com> c@example.com, <d@example.com>')).toEqual([
      { email: 'bob@example.com', displayName: 'Bob' },
      { email: 'ann@example.com', displayName: 'Lee, Ann' },
      { email: 'c@example.com' },
      { email: 'd@example.com' },
    ]);
  });

  it('that are typed but not added are included', () => {
    const opened = draftOf(timed, ZONE);
    const typed = { ...opened, guestText: 'Bob <bob@example.com>' };
    expect(patchOf(typed, opened)).toEqual({ attendees: [{ email: 'bob@example.com', displayName: 'Bob' }] });
    expect(problemsOf(typed)).toEqual({});
    expect(problemsOf({ ...opened, guestText: 'Bob' })).toEqual({ guests: 'guest' });
  });
});

describe('a recurrence', () => {
  it.each([
    ['daily', 'RRULE:FREQ=DAILY'],
    ['weekdays', 'RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'],
    ['weekly', 'RRULE:FREQ=WEEKLY;COUNT=5'],
    ['monthly', 'RRULE:FREQ=MONTHLY;UNTIL=20261231T225959Z'],
    ['yearly', 'RRULE:FREQ=YEARLY'],
  ])('is %s', (frequency, line) => {
    const repeat = repeatOf([line], '2026-11-24');
    expect(repeat.frequency).toBe(frequency);
    expect(linesOf(repeat, ZONE)).toEqual([line]);
  });

  it.each([
    [['RRULE:FREQ=WEEKLY;INTERVAL=2']],
    [['RRULE:FREQ=WEEKLY;BYDAY=MO,WE']],
    [['RRULE:FREQ=MONTHLY;BYDAY=2TU']],
    [['RRULE:FREQ=constructor']],
    [['RRULE:FREQ=DAILY', 'EXDATE;VALUE=DATE:20261125']],
    [['RDATE:20261125T100000Z']],
  ])('that the form cannot express is kept: %j', (lines) => {
    const repeat = repeatOf(lines, '2026-11-24');
    expect(repeat.frequency).toBe('custom');
    expect(linesOf(repeat, ZONE)).toEqual(lines);
  });

  it('is weekly only on the weekday of its start', () => {
    expect(repeatOf(['RRULE:FREQ=WEEKLY;BYDAY=TU'], '2026-11-24').frequency).toBe('weekly');
    expect(repeatOf(['RRULE:FREQ=WEEKLY;BYDAY=WE'], '2026-11-24').frequency).toBe('custom');
  });

  it('ends with its last day in the start’s zone', () => {
    const repeat = { frequency: 'daily', end: { kind: 'on', date: '2026-12-31' }, lines: [] } as const;
    expect(linesOf({ ...repeat, lines: [] }, 'America/Los_Angeles')).toEqual([
      'RRULE:FREQ=DAILY;UNTIL=20270101T075959Z',
    ]);
    expect(linesOf({ ...repeat, lines: [] }, null)).toEqual(['RRULE:FREQ=DAILY;UNTIL=20261231']);
  });
});

it('a new event starts at the next half hour', () => {
  const now = new Date('2026-11-24T11:48:00Z');
  expect(nextSlot(now, '2026-11-24', ZONE).start).toBe('2026-11-24T12:00:00.000Z');
  expect(nextSlot(now, '2026-11-26', ZONE).start).toBe('2026-11-26T08:00:00.000Z');
});
