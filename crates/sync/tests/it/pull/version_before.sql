-- What the services before migration 20261130200000 had written on 30 November 2026: events, and their instances with payloads.
-- They expanded these events themselves; only the notes at the end are copies.
insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at) values
    ('00000000-0000-0000-0000-00000000000a', 'alice', 'alice@example.com', 'alice@example.com', '{https://www.googleapis.com/auth/calendar.events}', '2026-11-01Z', '2026-11-01Z'),
    ('00000000-0000-0000-0000-00000000000b', 'bob', 'bob@example.com', 'bob@example.com', '{https://www.googleapis.com/auth/calendar.events}', '2026-11-01Z', '2026-11-01Z');
insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, is_primary, selected, created_at, updated_at)
    select id, ('00000000-0000-0000-0000-00000000000' || owner)::uuid, user_id, google_id, summary, zone, role, is_primary, true, '2026-11-01Z', '2026-11-01Z'
    from (values
        ('00000000-0000-0000-0000-0000000000a1'::uuid, 'a', 'alice', 'alice@example.com', 'Mine', 'Europe/Berlin', 'owner', true),
        ('00000000-0000-0000-0000-0000000000a2'::uuid, 'a', 'alice', 'team@group.calendar.google.com', 'Team', 'America/New_York', 'reader', false),
        ('00000000-0000-0000-0000-0000000000b1'::uuid, 'b', 'bob', 'team@group.calendar.google.com', 'Team', 'America/New_York', 'writer', false)
    ) as c (id, owner, user_id, google_id, summary, zone, role, is_primary);
insert into sync_state (resource_id, kind, connection_id, user_id, generation, horizon_until, sync_token, last_pull_at, poll_at)
    select id, 'events', connection_id, user_id, 2, '2027-12-30Z', 'token', '2026-11-30Z', 'infinity' from calendars;
create temporary table google (calendar text, raw jsonb, generation bigint default 2, problem text, event_id text);
insert into google (calendar, raw) values
    -- Single events.
    ('a1', '{"id": "dentist", "etag": "\"1\"", "status": "confirmed", "summary": "Dentist", "location": "Main Street 1", "description": "Bring <b>papers</b>", "htmlLink": "https://calendar.google.com/event?eid=dentist", "colorId": "5", "hangoutLink": "https://meet.google.com/abc-defg-hij", "iCalUID": "dentist@google.com", "updated": "2026-11-20T08:00:00.000Z", "visibility": "private", "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 10}]}, "organizer": {"email": "alice@example.com", "self": true}, "attendees": [{"email": "alice@example.com", "self": true, "organizer": true, "responseStatus": "accepted"}, {"email": "carol@example.com", "displayName": "Carol", "optional": true, "responseStatus": "needsAction"}], "start": {"dateTime": "2026-12-01T09:30:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-01T10:15:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "flight", "etag": "\"2\"", "summary": "Flight", "transparency": "transparent", "start": {"dateTime": "2026-12-03T11:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-03T14:00:00-05:00", "timeZone": "America/New_York"}}'),
    ('a1', '{"id": "holiday", "etag": "\"3\"", "summary": "Holiday", "eventType": "outOfOffice", "start": {"date": "2026-12-24"}, "end": {"date": "2026-12-27"}}'),
    ('a1', '{"id": "long_ago", "etag": "\"4\"", "summary": "Long ago", "start": {"dateTime": "2024-02-29T09:00:00Z"}, "end": {"dateTime": "2024-02-29T10:00:00Z"}}'),
    ('a1', '{"id": "far_ahead", "etag": "\"5\"", "summary": "Far ahead", "start": {"date": "2031-05-01"}, "end": {"date": "2031-05-02"}}'),
    -- All-day series: without an end, and with exceptions.
    ('a1', '{"id": "rent", "etag": "\"6\"", "summary": "Rent", "iCalUID": "rent@google.com", "recurrence": ["RRULE:FREQ=MONTHLY;BYMONTHDAY=1"], "start": {"date": "2025-01-01"}, "end": {"date": "2025-01-02"}}'),
    ('a1', '{"id": "weekend", "etag": "\"7\"", "summary": "Weekend", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"], "start": {"date": "2026-12-05"}, "end": {"date": "2026-12-07"}}'),
    ('a1', '{"id": "weekend_20261212", "etag": "\"8\"", "summary": "Weekend, a day later", "recurringEventId": "weekend", "originalStartTime": {"date": "2026-12-12"}, "start": {"date": "2026-12-13"}, "end": {"date": "2026-12-15"}}'),
    ('a1', '{"id": "weekend_20261219", "etag": "\"9\"", "status": "cancelled", "recurringEventId": "weekend", "originalStartTime": {"date": "2026-12-19"}}'),
    -- A series on weekdays with exceptions: moved within the day and far away, renamed, cancelled.
    ('a1', '{"id": "standup", "etag": "\"10\"", "summary": "Standup", "iCalUID": "standup@google.com", "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=20", "EXDATE;TZID=Europe/Berlin:20261218T091500"], "start": {"dateTime": "2026-11-23T09:15:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-11-23T09:30:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "standup_20261201T081500Z", "etag": "\"11\"", "summary": "Standup", "recurringEventId": "standup", "iCalUID": "standup@google.com", "originalStartTime": {"dateTime": "2026-12-01T09:15:00+01:00", "timeZone": "Europe/Berlin"}, "start": {"dateTime": "2026-12-01T14:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-01T14:45:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "standup_20261202T081500Z", "etag": "\"12\"", "summary": "Standup in spring", "recurringEventId": "standup", "iCalUID": "standup@google.com", "originalStartTime": {"dateTime": "2026-12-02T09:15:00+01:00", "timeZone": "Europe/Berlin"}, "start": {"dateTime": "2027-04-02T09:15:00+02:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2027-04-02T09:30:00+02:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "standup_20261203T081500Z", "etag": "\"13\"", "status": "cancelled", "recurringEventId": "standup", "originalStartTime": {"dateTime": "2026-12-03T09:15:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "standup_20261204T081500Z", "status": "cancelled", "recurringEventId": "standup", "originalStartTime": {"dateTime": "2026-12-04T09:15:00+01:00"}}'),
    -- Over a change of the clocks.
    ('a1', '{"id": "review", "etag": "\"14\"", "summary": "Review", "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270501T000000Z"], "start": {"dateTime": "2027-03-01T16:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2027-03-01T17:00:00+01:00", "timeZone": "Europe/Berlin"}}'),
    -- Exceptions without their master: invitations to one instance, now and beyond the horizon.
    ('a1', '{"id": "guest_20261210T100000Z", "etag": "\"15\"", "summary": "Guest", "recurringEventId": "guest", "originalStartTime": {"dateTime": "2026-12-10T10:00:00Z"}, "start": {"dateTime": "2026-12-10T12:00:00+01:00"}, "end": {"dateTime": "2026-12-10T13:00:00+01:00"}}'),
    ('a1', '{"id": "guest_20300110T100000Z", "etag": "\"16\"", "summary": "Guest much later", "recurringEventId": "guest", "originalStartTime": {"dateTime": "2030-01-10T10:00:00Z"}, "start": {"dateTime": "2030-01-10T11:00:00+01:00"}, "end": {"dateTime": "2030-01-10T12:00:00+01:00"}}'),
    -- A series that Google has split, with an exception; the first part overlaps the second by a day.
    ('a1', '{"id": "class", "etag": "\"17\"", "summary": "Class", "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"], "start": {"dateTime": "2026-12-07T18:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-07T19:00:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "class_R20261212T170000", "etag": "\"18\"", "summary": "Class, second part", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], "start": {"dateTime": "2026-12-12T18:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-12T19:30:00+01:00", "timeZone": "Europe/Berlin"}}'),
    ('a1', '{"id": "class_20261214T170000Z", "etag": "\"19\"", "summary": "Class outside", "recurringEventId": "class_R20261212T170000", "originalStartTime": {"dateTime": "2026-12-14T18:00:00+01:00", "timeZone": "Europe/Berlin"}, "start": {"dateTime": "2026-12-14T20:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-12-14T21:00:00+01:00", "timeZone": "Europe/Berlin"}}'),
    -- Through a night, so that it lasts longer than a day and a half.
    ('a1', '{"id": "shift", "etag": "\"20\"", "summary": "On call", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"], "start": {"dateTime": "2026-11-27T18:00:00+01:00", "timeZone": "Europe/Berlin"}, "end": {"dateTime": "2026-11-30T08:00:00+01:00", "timeZone": "Europe/Berlin"}}'),
    -- The calendar of another zone and with fewer rights, which a second user sees too.
    ('a2', '{"id": "board", "etag": "\"21\"", "summary": "Board", "visibility": "public", "iCalUID": "board@google.com", "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=5;BYDAY=1TU"], "start": {"dateTime": "2026-12-01T10:00:00-05:00", "timeZone": "America/New_York"}, "end": {"dateTime": "2026-12-01T12:00:00-05:00", "timeZone": "America/New_York"}}'),
    ('a2', '{"id": "fair", "etag": "\"22\"", "summary": "Fair", "recurrence": ["RRULE:FREQ=YEARLY;COUNT=3"], "start": {"date": "2025-12-04"}, "end": {"date": "2025-12-06"}}'),
    ('a2', '{"id": "standup_copy", "etag": "\"23\"", "summary": "Dentist", "iCalUID": "dentist@google.com", "start": {"dateTime": "2026-12-01T03:30:00-05:00"}, "end": {"dateTime": "2026-12-01T04:15:00-05:00"}}'),
    ('b1', '{"id": "board", "etag": "\"21\"", "summary": "Board", "visibility": "public", "iCalUID": "board@google.com", "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=5;BYDAY=1TU"], "start": {"dateTime": "2026-12-01T10:00:00-05:00", "timeZone": "America/New_York"}, "end": {"dateTime": "2026-12-01T12:00:00-05:00", "timeZone": "America/New_York"}}');
insert into google (calendar, raw, problem) values
    -- A zone that Google alone knows, and one that is none; no start; an end before the start.
    ('a1', '{"id": "fixed", "etag": "\"24\"", "summary": "Fixed zone", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "start": {"dateTime": "2026-12-02T07:00:00-05:00", "timeZone": "GMT-05:00"}, "end": {"dateTime": "2026-12-02T08:00:00-05:00", "timeZone": "GMT-05:00"}}', null),
    ('a1', '{"id": "mars", "etag": "\"25\"", "summary": "Landing", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "start": {"dateTime": "2027-03-24T09:00:00+01:00", "timeZone": "Mars/Olympus"}, "end": {"dateTime": "2027-03-24T10:00:00+01:00", "timeZone": "Mars/Olympus"}}', 'unknown_zone'),
    ('a1', '{"id": "nowhen", "etag": "\"26\"", "summary": "Without a start"}', 'no_start'),
    ('a1', '{"id": "backwards", "etag": "\"27\"", "summary": "Backwards", "start": {"dateTime": "2026-12-08T09:00:00Z"}, "end": {"dateTime": "2026-12-08T08:00:00Z"}}', 'ends_before_start'),
    ('a1', '{"id": "dentist_rule", "etag": "\"28\"", "summary": "Odd rule", "recurrence": ["RRULE:FREQ=FORTNIGHTLY"], "start": {"dateTime": "2026-12-09T09:00:00Z"}, "end": {"dateTime": "2026-12-09T10:00:00Z"}}', 'recurrence');
insert into google (calendar, event_id, raw, problem) values ('a1', 'unreadable', '17', 'unreadable');
-- More instances than are kept.
insert into google (calendar, raw) values
    ('a2', '{"id": "hourly", "etag": "\"29\"", "summary": "Hourly", "recurrence": ["RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;UNTIL=20280101T000000Z"], "start": {"dateTime": "2026-12-20T00:00:00Z", "timeZone": "UTC"}, "end": {"dateTime": "2026-12-20T00:10:00Z", "timeZone": "UTC"}}');
insert into events (calendar_id, generation, event_id, etag, status, updated, ical_uid, recurring_event_id, original_start, recurrence, raw, problem)
    select ('00000000-0000-0000-0000-0000000000' || calendar)::uuid, generation, coalesce(event_id, raw->>'id'), coalesce(raw->>'etag', ''),
           coalesce(raw->>'status', 'confirmed'), (raw->>'updated')::timestamptz, raw->>'iCalUID', raw->>'recurringEventId',
           coalesce(raw->'originalStartTime'->>'dateTime', raw->'originalStartTime'->>'date'),
           case when raw ? 'recurrence' then array(select jsonb_array_elements_text(raw->'recurrence')) end, raw, problem
    from google;

-- What each event showed: its instances' payloads without id, start and end.
create temporary table shown (payload jsonb);
insert into shown values
    ('{"etag": "\"27\"", "title": "Backwards", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "backwards", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"17\"", "title": "Class", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "class", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "class"}'),
    ('{"etag": "\"19\"", "title": "Class outside", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "class_20261214T170000Z", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "class_R20261212T170000"}'),
    ('{"etag": "\"18\"", "title": "Class, second part", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "class_R20261212T170000", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "class_R20261212T170000"}'),
    ('{"etag": "\"1\"", "title": "Dentist", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility", "responseStatus"], "colorId": "5", "eventId": "dentist", "iCalUID": "dentist@google.com", "copyRank": 20, "htmlLink": "https://calendar.google.com/event?eid=dentist", "location": "Main Street 1", "timeZone": "Europe/Berlin", "attendees": [{"self": true, "email": "alice@example.com", "optional": false, "displayName": null, "responseStatus": "accepted"}, {"self": false, "email": "carol@example.com", "optional": true, "displayName": "Carol", "responseStatus": "needsAction"}], "canDelete": true, "eventType": "default", "organizer": {"self": true, "email": "alice@example.com", "displayName": null}, "reminders": {"overrides": [{"method": "popup", "minutes": 10}], "useDefault": false}, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "private", "description": "Bring <b>papers</b>", "transparency": "opaque", "conferenceUrl": "https://meet.google.com/abc-defg-hij", "recurringEventId": null}'),
    ('{"etag": "\"28\"", "title": "Odd rule", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "dentist_rule", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=FORTNIGHTLY"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "dentist_rule"}'),
    ('{"etag": "\"5\"", "title": "Far ahead", "allDay": true, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "far_ahead", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"24\"", "title": "Fixed zone", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "fixed", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "GMT-05:00", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "fixed"}'),
    ('{"etag": "\"2\"", "title": "Flight", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "flight", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "endTimeZone": "America/New_York", "transparency": "transparent", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"15\"", "title": "Guest", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "guest_20261210T100000Z", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "guest"}'),
    ('{"etag": "\"16\"", "title": "Guest much later", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "guest_20300110T100000Z", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "guest"}'),
    ('{"etag": "\"3\"", "title": "Holiday", "allDay": true, "status": "confirmed", "canEdit": ["title", "start", "end", "description", "recurrence", "reminders", "colorId", "visibility"], "colorId": null, "eventId": "holiday", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": true, "eventType": "outOfOffice", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"4\"", "title": "Long ago", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "long_ago", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"25\"", "title": "Landing", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "mars", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Mars/Olympus", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "mars"}'),
    ('{"etag": "\"6\"", "title": "Rent", "allDay": true, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "rent", "iCalUID": "rent@google.com", "copyRank": 80, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=MONTHLY;BYMONTHDAY=1"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "rent"}'),
    ('{"etag": "\"14\"", "title": "Review", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "review", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270501T000000Z"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "review"}'),
    ('{"etag": "\"20\"", "title": "On call", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "shift", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "shift"}'),
    ('{"etag": "\"10\"", "title": "Standup", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "standup", "iCalUID": "standup@google.com", "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=20", "EXDATE;TZID=Europe/Berlin:20261218T091500"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "standup"}'),
    ('{"etag": "\"11\"", "title": "Standup", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "standup_20261201T081500Z", "iCalUID": "standup@google.com", "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "standup"}'),
    ('{"etag": "\"12\"", "title": "Standup in spring", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "standup_20261202T081500Z", "iCalUID": "standup@google.com", "copyRank": 80, "htmlLink": null, "location": null, "timeZone": "Europe/Berlin", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "standup"}'),
    ('{"etag": "\"7\"", "title": "Weekend", "allDay": true, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "weekend", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "weekend"}'),
    ('{"etag": "\"8\"", "title": "Weekend, a day later", "allDay": true, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "weekend_20261212", "iCalUID": null, "copyRank": 80, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a1", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "weekend"}'),
    ('{"etag": "\"21\"", "title": "Board", "allDay": false, "status": "confirmed", "canEdit": [], "colorId": null, "eventId": "board", "iCalUID": "board@google.com", "copyRank": 93, "htmlLink": null, "location": null, "timeZone": "America/New_York", "attendees": [], "canDelete": false, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a2", "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=5;BYDAY=1TU"], "visibility": "public", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "board"}'),
    ('{"etag": "\"22\"", "title": "Fair", "allDay": true, "status": "confirmed", "canEdit": [], "colorId": null, "eventId": "fair", "iCalUID": null, "copyRank": 93, "htmlLink": null, "location": null, "timeZone": null, "attendees": [], "canDelete": false, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a2", "recurrence": ["RRULE:FREQ=YEARLY;COUNT=3"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "fair"}'),
    ('{"etag": "\"23\"", "title": "Dentist", "allDay": false, "status": "confirmed", "canEdit": [], "colorId": null, "eventId": "standup_copy", "iCalUID": "dentist@google.com", "copyRank": 93, "htmlLink": null, "location": null, "timeZone": "America/New_York", "attendees": [], "canDelete": false, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a2", "recurrence": [], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": null}'),
    ('{"etag": "\"21\"", "title": "Board", "allDay": false, "status": "confirmed", "canEdit": ["title", "start", "end", "allDay", "description", "location", "attendees", "recurrence", "conference", "reminders", "colorId", "transparency", "visibility"], "colorId": null, "eventId": "board", "iCalUID": "board@google.com", "copyRank": 91, "htmlLink": null, "location": null, "timeZone": "America/New_York", "attendees": [], "canDelete": true, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000b1", "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=5;BYDAY=1TU"], "visibility": "public", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "board"}'),
    ('{"etag": "\"29\"", "title": "Hourly", "allDay": false, "status": "confirmed", "canEdit": [], "colorId": null, "eventId": "hourly", "iCalUID": null, "copyRank": 93, "htmlLink": null, "location": null, "timeZone": "UTC", "attendees": [], "canDelete": false, "eventType": "default", "organizer": null, "reminders": null, "calendarId": "00000000-0000-0000-0000-0000000000a2", "recurrence": ["RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;UNTIL=20280101T000000Z"], "visibility": "default", "description": null, "transparency": "opaque", "conferenceUrl": null, "recurringEventId": "hourly"}');
create temporary table times (calendar text, event_id text, id text, starts text, ends text);
insert into times values
    ('a1', 'backwards', 'backwards', '2026-12-08T10:00:00+01:00', '2026-12-08T10:00:00+01:00'),
    ('a1', 'class', 'class_20261207T170000Z', '2026-12-07T18:00:00+01:00', '2026-12-07T19:00:00+01:00'),
    ('a1', 'class', 'class_20261208T170000Z', '2026-12-08T18:00:00+01:00', '2026-12-08T19:00:00+01:00'),
    ('a1', 'class', 'class_20261209T170000Z', '2026-12-09T18:00:00+01:00', '2026-12-09T19:00:00+01:00'),
    ('a1', 'class', 'class_20261210T170000Z', '2026-12-10T18:00:00+01:00', '2026-12-10T19:00:00+01:00'),
    ('a1', 'class', 'class_20261211T170000Z', '2026-12-11T18:00:00+01:00', '2026-12-11T19:00:00+01:00'),
    ('a1', 'class_20261214T170000Z', 'class_20261214T170000Z', '2026-12-14T20:00:00+01:00', '2026-12-14T21:00:00+01:00'),
    ('a1', 'class_R20261212T170000', 'class_20261212T170000Z', '2026-12-12T18:00:00+01:00', '2026-12-12T19:30:00+01:00'),
    ('a1', 'class_R20261212T170000', 'class_20261213T170000Z', '2026-12-13T18:00:00+01:00', '2026-12-13T19:30:00+01:00'),
    ('a1', 'class_R20261212T170000', 'class_20261215T170000Z', '2026-12-15T18:00:00+01:00', '2026-12-15T19:30:00+01:00'),
    ('a1', 'class_R20261212T170000', 'class_20261216T170000Z', '2026-12-16T18:00:00+01:00', '2026-12-16T19:30:00+01:00'),
    ('a1', 'dentist', 'dentist', '2026-12-01T09:30:00+01:00', '2026-12-01T10:15:00+01:00'),
    ('a1', 'dentist_rule', 'dentist_rule_20261209T090000Z', '2026-12-09T10:00:00+01:00', '2026-12-09T11:00:00+01:00'),
    ('a1', 'far_ahead', 'far_ahead', '2031-05-01', '2031-05-02'),
    ('a1', 'fixed', 'fixed_20261202T120000Z', '2026-12-02T07:00:00-05:00', '2026-12-02T08:00:00-05:00'),
    ('a1', 'fixed', 'fixed_20261209T120000Z', '2026-12-09T07:00:00-05:00', '2026-12-09T08:00:00-05:00'),
    ('a1', 'fixed', 'fixed_20261216T120000Z', '2026-12-16T07:00:00-05:00', '2026-12-16T08:00:00-05:00'),
    ('a1', 'flight', 'flight', '2026-12-03T11:00:00+01:00', '2026-12-03T14:00:00-05:00'),
    ('a1', 'guest_20261210T100000Z', 'guest_20261210T100000Z', '2026-12-10T12:00:00+01:00', '2026-12-10T13:00:00+01:00'),
    ('a1', 'guest_20300110T100000Z', 'guest_20300110T100000Z', '2030-01-10T11:00:00+01:00', '2030-01-10T12:00:00+01:00'),
    ('a1', 'holiday', 'holiday', '2026-12-24', '2026-12-27'),
    ('a1', 'long_ago', 'long_ago', '2024-02-29T10:00:00+01:00', '2024-02-29T11:00:00+01:00'),
    ('a1', 'mars', 'mars_20270324T080000Z', '2027-03-24T09:00:00+01:00', '2027-03-24T10:00:00+01:00'),
    ('a1', 'mars', 'mars_20270331T070000Z', '2027-03-31T09:00:00+02:00', '2027-03-31T10:00:00+02:00'),
    ('a1', 'mars', 'mars_20270407T070000Z', '2027-04-07T09:00:00+02:00', '2027-04-07T10:00:00+02:00'),
    ('a1', 'rent', 'rent_20261101', '2026-11-01', '2026-11-02'),
    ('a1', 'rent', 'rent_20261201', '2026-12-01', '2026-12-02'),
    ('a1', 'rent', 'rent_20270101', '2027-01-01', '2027-01-02'),
    ('a1', 'rent', 'rent_20270201', '2027-02-01', '2027-02-02'),
    ('a1', 'rent', 'rent_20270301', '2027-03-01', '2027-03-02'),
    ('a1', 'rent', 'rent_20270401', '2027-04-01', '2027-04-02'),
    ('a1', 'rent', 'rent_20270501', '2027-05-01', '2027-05-02'),
    ('a1', 'rent', 'rent_20270601', '2027-06-01', '2027-06-02'),
    ('a1', 'rent', 'rent_20270701', '2027-07-01', '2027-07-02'),
    ('a1', 'rent', 'rent_20270801', '2027-08-01', '2027-08-02'),
    ('a1', 'rent', 'rent_20270901', '2027-09-01', '2027-09-02'),
    ('a1', 'rent', 'rent_20271001', '2027-10-01', '2027-10-02'),
    ('a1', 'rent', 'rent_20271101', '2027-11-01', '2027-11-02'),
    ('a1', 'rent', 'rent_20271201', '2027-12-01', '2027-12-02'),
    ('a1', 'review', 'review_20270301T150000Z', '2027-03-01T16:00:00+01:00', '2027-03-01T17:00:00+01:00'),
    ('a1', 'review', 'review_20270315T150000Z', '2027-03-15T16:00:00+01:00', '2027-03-15T17:00:00+01:00'),
    ('a1', 'review', 'review_20270329T140000Z', '2027-03-29T16:00:00+02:00', '2027-03-29T17:00:00+02:00'),
    ('a1', 'review', 'review_20270412T140000Z', '2027-04-12T16:00:00+02:00', '2027-04-12T17:00:00+02:00'),
    ('a1', 'review', 'review_20270426T140000Z', '2027-04-26T16:00:00+02:00', '2027-04-26T17:00:00+02:00'),
    ('a1', 'shift', 'shift_20261127T170000Z', '2026-11-27T18:00:00+01:00', '2026-11-30T08:00:00+01:00'),
    ('a1', 'shift', 'shift_20261204T170000Z', '2026-12-04T18:00:00+01:00', '2026-12-07T08:00:00+01:00'),
    ('a1', 'shift', 'shift_20261211T170000Z', '2026-12-11T18:00:00+01:00', '2026-12-14T08:00:00+01:00'),
    ('a1', 'shift', 'shift_20261218T170000Z', '2026-12-18T18:00:00+01:00', '2026-12-21T08:00:00+01:00'),
    ('a1', 'standup', 'standup_20261123T081500Z', '2026-11-23T09:15:00+01:00', '2026-11-23T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261124T081500Z', '2026-11-24T09:15:00+01:00', '2026-11-24T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261125T081500Z', '2026-11-25T09:15:00+01:00', '2026-11-25T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261126T081500Z', '2026-11-26T09:15:00+01:00', '2026-11-26T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261127T081500Z', '2026-11-27T09:15:00+01:00', '2026-11-27T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261130T081500Z', '2026-11-30T09:15:00+01:00', '2026-11-30T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261207T081500Z', '2026-12-07T09:15:00+01:00', '2026-12-07T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261208T081500Z', '2026-12-08T09:15:00+01:00', '2026-12-08T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261209T081500Z', '2026-12-09T09:15:00+01:00', '2026-12-09T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261210T081500Z', '2026-12-10T09:15:00+01:00', '2026-12-10T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261211T081500Z', '2026-12-11T09:15:00+01:00', '2026-12-11T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261214T081500Z', '2026-12-14T09:15:00+01:00', '2026-12-14T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261215T081500Z', '2026-12-15T09:15:00+01:00', '2026-12-15T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261216T081500Z', '2026-12-16T09:15:00+01:00', '2026-12-16T09:30:00+01:00'),
    ('a1', 'standup', 'standup_20261217T081500Z', '2026-12-17T09:15:00+01:00', '2026-12-17T09:30:00+01:00'),
    ('a1', 'standup_20261201T081500Z', 'standup_20261201T081500Z', '2026-12-01T14:00:00+01:00', '2026-12-01T14:45:00+01:00'),
    ('a1', 'standup_20261202T081500Z', 'standup_20261202T081500Z', '2027-04-02T09:15:00+02:00', '2027-04-02T09:30:00+02:00'),
    ('a1', 'weekend', 'weekend_20261205', '2026-12-05', '2026-12-07'),
    ('a1', 'weekend', 'weekend_20261226', '2026-12-26', '2026-12-28'),
    ('a1', 'weekend', 'weekend_20270102', '2027-01-02', '2027-01-04'),
    ('a1', 'weekend', 'weekend_20270109', '2027-01-09', '2027-01-11'),
    ('a1', 'weekend_20261212', 'weekend_20261212', '2026-12-13', '2026-12-15'),
    ('a2', 'board', 'board_20261201T150000Z', '2026-12-01T10:00:00-05:00', '2026-12-01T12:00:00-05:00'),
    ('a2', 'board', 'board_20270105T150000Z', '2027-01-05T10:00:00-05:00', '2027-01-05T12:00:00-05:00'),
    ('a2', 'board', 'board_20270202T150000Z', '2027-02-02T10:00:00-05:00', '2027-02-02T12:00:00-05:00'),
    ('a2', 'board', 'board_20270302T150000Z', '2027-03-02T10:00:00-05:00', '2027-03-02T12:00:00-05:00'),
    ('a2', 'board', 'board_20270406T140000Z', '2027-04-06T10:00:00-04:00', '2027-04-06T12:00:00-04:00'),
    ('a2', 'fair', 'fair_20261204', '2026-12-04', '2026-12-06'),
    ('a2', 'fair', 'fair_20271204', '2027-12-04', '2027-12-06'),
    ('a2', 'standup_copy', 'standup_copy', '2026-12-01T03:30:00-05:00', '2026-12-01T04:15:00-05:00'),
    ('b1', 'board', 'board_20261201T150000Z', '2026-12-01T10:00:00-05:00', '2026-12-01T12:00:00-05:00'),
    ('b1', 'board', 'board_20270105T150000Z', '2027-01-05T10:00:00-05:00', '2027-01-05T12:00:00-05:00'),
    ('b1', 'board', 'board_20270202T150000Z', '2027-02-02T10:00:00-05:00', '2027-02-02T12:00:00-05:00'),
    ('b1', 'board', 'board_20270302T150000Z', '2027-03-02T10:00:00-05:00', '2027-03-02T12:00:00-05:00'),
    ('b1', 'board', 'board_20270406T140000Z', '2027-04-06T10:00:00-04:00', '2027-04-06T12:00:00-04:00');
insert into times
    select 'a2', 'hourly', 'hourly_' || to_char(start, 'YYYYMMDD"T"HH24MISS"Z"'), to_char(start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
           to_char(start + interval '10 minutes', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    from generate_series(0, 5000) hours, lateral (select timestamp '2026-12-20' + hours * interval '1 hour' as start) s;
insert into occurrences (user_id, calendar_id, generation, instance_id, event_id, series_id, starts_at, ends_at, start_date, end_date, payload)
    select c.user_id, c.id, 2, t.id, t.event_id, coalesce(payload->>'recurringEventId', t.event_id),
           case when all_day then starts::timestamp at time zone c.time_zone else starts::timestamptz end,
           case when all_day then ends::timestamp at time zone c.time_zone else ends::timestamptz end,
           case when all_day then starts::date end, case when all_day then ends::date end,
           payload || jsonb_build_object('id', t.id, 'start', starts, 'end', ends)
    from times t
    join calendars c on c.id = ('00000000-0000-0000-0000-0000000000' || t.calendar)::uuid
    join shown on payload->>'eventId' = t.event_id and payload->>'calendarId' = c.id::text
    cross join lateral (select (payload->>'allDay')::boolean as all_day) a;
insert into cut_series values ('00000000-0000-0000-0000-0000000000a2', 2, 'hourly', '2027-07-16 08:00:00Z');

-- A generation that a flip has replaced and that is not purged yet.
insert into stale_generations values ('00000000-0000-0000-0000-0000000000a1', 1);
insert into events (calendar_id, generation, event_id, etag, status, raw)
    select calendar_id, 1, 'old_' || event_id, etag, status, raw || jsonb_build_object('id', 'old_' || event_id) from events
    where event_id in ('dentist', 'holiday');
insert into occurrences
    select user_id, calendar_id, 1, 'old_' || instance_id, 'old_' || event_id, 'old_' || series_id, starts_at, ends_at, start_date, end_date, payload
    from occurrences where event_id in ('dentist', 'holiday');
-- More events than are converted at once.
insert into events (calendar_id, generation, event_id, etag, status, ical_uid, raw)
    select calendar_id, 2, 'note_' || n, etag, status, 'note_' || n, raw || jsonb_build_object('id', 'note_' || n, 'iCalUID', 'note_' || n)
    from events, generate_series(1, 120) as n where event_id = 'dentist';
insert into occurrences
    select user_id, calendar_id, 2, 'note_' || n, 'note_' || n, 'note_' || n, starts_at, ends_at, start_date, end_date,
           payload || jsonb_build_object('id', 'note_' || n, 'eventId', 'note_' || n, 'iCalUID', 'note_' || n)
    from occurrences, generate_series(1, 120) as n where event_id = 'dentist';
drop table google, shown, times;
