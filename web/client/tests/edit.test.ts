import { describe, expect, it } from 'vitest';

import { patched } from '../src/core/edit.js';
import type { Attendee } from '../src/generated/types.js';
import { anEvent } from './model-server.js';

const guest = (email: string | null, more: Partial<Attendee> = {}): Attendee => ({
  email,
  displayName: null,
  self: false,
  optional: false,
  responseStatus: 'accepted',
  ...more,
});

describe('an edit that is shown before it is sent', () => {
  it('keeps guests without an address', () => {
    const hidden = guest(null, { displayName: 'Ann' });
    const event = anEvent({ id: 'e', attendees: [hidden, guest('bob@example.com'), guest('eve@example.com')] });
    const { attendees } = patched(event, {
      attendees: [{ email: 'Bob@example.com', optional: true }, { email: null }, { email: 'carol@example.com' }],
    });
    expect(attendees).toEqual([
      guest('bob@example.com', { optional: true }),
      guest('carol@example.com', { responseStatus: 'needsAction' }),
      hidden,
    ]);
  });

  it('leaves each end in its own zone', () => {
    const [timeZone, endTimeZone] = ['America/Los_Angeles', 'America/New_York'];
    const flight = anEvent({ id: 'e', timeZone, endTimeZone });
    expect(patched(flight, { start: '2026-11-24T11:00:00Z', timeZone })).toMatchObject({ timeZone, endTimeZone });
    expect(patched(flight, { timeZone: 'America/Chicago' }).endTimeZone).toBeUndefined();
    expect(patched(flight, { timeZone: endTimeZone }).endTimeZone).toBeUndefined();
    expect(patched(flight, { start: '2026-11-24', end: '2026-11-25' }).endTimeZone).toBeUndefined();
  });

  it('changes who sees what of an event', () => {
    const event = anEvent({ id: 'e', visibility: 'private', transparency: 'transparent' });
    expect(patched(event, { visibility: null, transparency: null })).toMatchObject({
      visibility: 'default',
      transparency: 'opaque',
    });
    expect(patched(event, { title: 'New' })).toEqual({ ...event, title: 'New' });
  });
});
