import { describe, expect, it } from 'vitest';

import { meetingOf, safeUrl } from './url.js';

describe('safeUrl', () => {
  it.each(['https://a.example/', 'http://a.example/', 'mailto:a@b.example', 'tel:+4912345'])('passes %s', (url) => {
    expect(safeUrl(url)).toBe(url);
  });

  it.each([
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://a.example/1',
    '//a.example',
    '/path',
    'Room 4',
    '',
  ])('rejects %j', (url) => {
    expect(safeUrl(url)).toBeNull();
  });

  it('rejects null and undefined', () => {
    expect(safeUrl(null)).toBeNull();
    expect(safeUrl(undefined)).toBeNull();
  });
});

describe('meetingOf', () => {
  it('recognizes the provider', () => {
    expect(meetingOf({ conferenceUrl: 'https://meet.google.com/abc-defg-hij' })).toEqual({
      url: 'https://meet.google.com/abc-defg-hij',
      provider: 'Google Meet',
    });
    expect(meetingOf({ conferenceUrl: 'https://us02web.zoom.us/j/1' })?.provider).toBe('Zoom');
  });

  it('does not accept look-alike hosts', () => {
    expect(meetingOf({ conferenceUrl: 'https://evilzoom.us/j/1' })?.provider).toBeNull();
    expect(meetingOf({ conferenceUrl: 'javascript:alert(1)' })).toBeNull();
    expect(meetingOf({ conferenceUrl: null })).toBeNull();
  });
});
