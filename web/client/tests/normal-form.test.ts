import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { DEFAULTS, flatten } from '../src/core/normal-form.js';
import type { Attendee, Event, EventView, Person, Reminders } from '../src/generated/types.js';
import { DAY } from './model-server.js';
import { seriesFrom } from './normal-form.js';

const text = fc.option(fc.constantFrom('', 'Room 1', 'Über\nuns'));
const person: fc.Arbitrary<Person> = fc.record(
  { email: text, displayName: text, self: fc.boolean() },
  { noNullPrototype: true },
);
const guest: fc.Arbitrary<Attendee> = fc.record(
  {
    email: text,
    displayName: text,
    self: fc.boolean(),
    optional: fc.boolean(),
    responseStatus: fc.constantFrom('needsAction', 'accepted'),
    resource: fc.constant(true),
  },
  { noNullPrototype: true, requiredKeys: ['email', 'displayName', 'self', 'optional', 'responseStatus'] },
);
const reminder = fc.record(
  { method: fc.constantFrom('popup', 'email'), minutes: fc.nat(60) },
  { noNullPrototype: true },
);
const reminders: fc.Arbitrary<Reminders> = fc.record(
  { useDefault: fc.boolean(), overrides: fc.array(reminder, { maxLength: 2 }) },
  { noNullPrototype: true },
);
const view: fc.Arbitrary<EventView> = fc.record(
  {
    title: fc.constantFrom('', 'Design review'),
    allDay: fc.boolean(),
    timeZone: fc.option(fc.constantFrom('UTC', 'Europe/Berlin')),
    endTimeZone: fc.constant('Asia/Tokyo'),
    description: text,
    location: text,
    htmlLink: text,
    status: fc.constantFrom('confirmed', 'tentative'),
    eventType: fc.constantFrom('default', 'birthday', 'new'),
    transparency: fc.constantFrom('opaque', 'transparent'),
    visibility: fc.constantFrom('default', 'private'),
    colorId: text,
    attendees: fc.array(guest, { maxLength: 3 }),
    organizer: fc.option(person),
    conferenceUrl: text,
    recurrence: fc.constantFrom([], ['RRULE:FREQ=DAILY']),
    reminders: fc.option(reminders),
    canEdit: fc.constantFrom([], ['title', 'location']),
    canDelete: fc.boolean(),
    cutFields: fc.constant(['description']),
    etag: fc.constantFrom('"1"', '"2"'),
    iCalUID: text,
    copyRank: fc.nat(2),
  },
  { noNullPrototype: true, requiredKeys: Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[] },
);

const zoned = (time: number) => `${new Date(time + 3_600_000).toISOString().slice(0, 19)}+01:00`;
const dateOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** Google's id of an instance, from its start. */
function idAt(eventId: string, time: number, allDay: boolean): string {
  const original = allDay ? dateOf(time) : new Date(time).toISOString().slice(0, 19) + 'Z';
  return `${eventId.replace(/_R2026\w+$/, '')}_${original.replace(/[-:]/g, '')}`;
}

describe('the normal form', () => {
  it('has all that flat events have', () => {
    const first = Date.parse('2026-12-07T08:15:00Z');
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 5 });
    const series = fc.constantFrom('weekly', 'weekly_R20261122T090000', 'weekly_R20261122', 'odd_Right');
    fc.assert(
      fc.property(view, view, series, times, (shown, changed, eventId, days) => {
        const events = days.map((day, nth): Event => {
          const start = first + day * DAY;
          const { allDay } = shown;
          const id = idAt(eventId, start, allDay);
          const times = allDay
            ? { start: dateOf(start), end: dateOf(start + DAY) }
            : { start: zoned(start), end: zoned(start + 1_800_000) };
          const common = { id, calendarId: 'work', recurringEventId: eventId, ...times };
          // Every other one is an exception, which may have been moved by an hour.
          return nth % 2 === 0 ? { ...common, ...shown, eventId } : { ...common, ...changed, allDay, eventId: id };
        });
        const single: Event = {
          ...shown,
          id: 'one',
          calendarId: 'work',
          eventId: 'one',
          recurringEventId: null,
          start: '2026-12-07',
          end: '2026-12-08',
        };
        const all = [...events, single];
        const wire = JSON.parse(JSON.stringify(seriesFrom(all))) as ReturnType<typeof seriesFrom>;
        const flat = wire.flatMap((each) => each.events.flatMap((event) => flatten('work', event)));
        const byId = (list: readonly Event[]) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1));
        expect(byId(flat)).toStrictEqual(byId(all));
      }),
    );
  });

  it('leaves out defaults', () => {
    const plain: Event = {
      ...DEFAULTS,
      id: 'a',
      calendarId: 'work',
      eventId: 'a',
      recurringEventId: null,
      start: '2026-12-07T08:15:00Z',
      end: '2026-12-07T08:30:00Z',
      title: 'A',
    };
    const instances = [['2026-12-07T08:15:00Z', '2026-12-07T08:30:00Z']];
    expect(seriesFrom([plain])).toEqual([{ seriesId: 'a', events: [{ eventId: 'a', title: 'A', instances }] }]);
    expect(
      flatten('work', { eventId: 'a', title: 'A', instances: [['2026-12-07T08:15:00Z', '2026-12-07T08:30:00Z']] }),
    ).toStrictEqual([plain]);
  });

  it('has the same flat events each time', () => {
    const event = { eventId: 'a', instances: [['2026-12-07', '2026-12-08']] as [string, string][] };
    const [first] = flatten('work', event);
    expect(flatten('work', event)[0]).toBe(first);
    expect(flatten('work', event, () => false)).toEqual([]);
    expect(flatten('work', event, ({ start }) => start === '2026-12-07')[0]).toBe(first);
  });

  it.each([
    ['s', '2026-12-07T09:15:00+01:00', 's_20261207T081500Z'],
    ['s_R20261122T090000', '2026-12-07T08:15:00Z', 's_20261207T081500Z'],
    ['s_R20261122', '2026-12-07T08:15:00Z', 's_20261207T081500Z'],
    ['s_R2026112', '2026-12-07T08:15:00Z', 's_R2026112_20261207T081500Z'],
    ['_R20261122', '2026-12-07T08:15:00Z', '_R20261122_20261207T081500Z'],
    ['s_Room1234', '2026-12-07T08:15:00Z', 's_Room1234_20261207T081500Z'],
  ])('derives the id of an instance of %s at %s', (eventId, start, id) => {
    const events = flatten('work', { eventId, recurringEventId: eventId, instances: [[start, start]] });
    expect(events.map((event) => event.id)).toEqual([id]);
    const [allDay] = flatten('work', {
      eventId,
      recurringEventId: eventId,
      allDay: true,
      instances: [['2026-12-07', '2026-12-08']],
    });
    expect(allDay?.id).toBe(id.replace('T081500Z', ''));
  });

  it('has the event id of an exception or single event', () => {
    const instances: [string, string][] = [['2026-12-07', '2026-12-08']];
    expect(flatten('work', { eventId: 'a', instances })[0]).toMatchObject({ id: 'a', recurringEventId: null });
    const exception = flatten('work', { eventId: 's_20261201', recurringEventId: 's', instances })[0];
    expect(exception).toMatchObject({ id: 's_20261201', recurringEventId: 's' });
  });
});
