import { describe, expect, it } from 'vitest';

import { formatsOf } from '../format/index.js';
import { englishLabels } from './labels.js';
import { pickNext } from './pick-next.js';
import { event } from './testing.js';

const words = { formats: formatsOf('en-GB', 'Europe/Berlin'), labels: englishLabels, Heading: 'h2' } as const;
const timed = (id: string, start: string, end: string) =>
  event({ id, start: `2026-11-${start}:00Z`, end: `2026-11-${end}:00Z` });
const allDay = (id: string, start: string, end: string) => event({ id, start, end, allDay: true, timeZone: null });
const next = (at: string, ...events: ReturnType<typeof event>[]) => {
  const now = new Date(`2026-11-${at}:00Z`);
  const picked = pickNext(events, { now, today: words.formats.dayOf(now) }, words);
  return picked && [picked.event.id, picked.moreToday];
};

describe('the next event', () => {
  const focus = timed('focus', '24T08:00', '24T12:00');
  const review = timed('review', '24T10:00', '24T11:00');
  const offsite = allDay('offsite', '2026-11-24', '2026-11-26');

  it('is the running one that started last', () => {
    expect(next('24T09:00', focus, review)).toEqual(['focus', 1]);
    expect(next('24T10:30', focus, review)).toEqual(['review', 1]);
  });

  it('changes ten minutes before the following one starts', () => {
    expect(next('24T09:49', focus, review)).toEqual(['focus', 1]);
    expect(next('24T09:50', focus, review)).toEqual(['review', 1]);
  });

  it('is a timed event before an all-day event', () => {
    expect(next('24T07:00', offsite, review)).toEqual(['review', 1]);
    expect(next('24T12:00', offsite, review)).toEqual(['offsite', 0]);
  });

  it('is the first of a later day without events today', () => {
    expect(next('24T07:00', timed('later', '27T09:00', '27T10:00'), allDay('day', '2026-11-27', '2026-11-28'))).toEqual(
      ['later', 0],
    );
    expect(next('24T07:00', timed('later', '27T09:00', '27T10:00'), allDay('day', '2026-11-26', '2026-11-27'))).toEqual(
      ['day', 0],
    );
  });

  it('is no ended, cancelled or declined event', () => {
    const declined = {
      ...review,
      attendees: [{ email: 'a', displayName: null, self: true, optional: false, responseStatus: 'declined' }],
    };
    expect(next('24T09:00', timed('over', '24T07:00', '24T08:00'), declined)).toBeNull();
    expect(
      next('24T09:00', { ...review, status: 'cancelled' }, { ...review, eventType: 'workingLocation' }),
    ).toBeNull();
  });
});
