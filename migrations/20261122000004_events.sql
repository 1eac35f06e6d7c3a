-- The mirror: masters, exceptions and single events as Google has them.
create table events (
    calendar_id         uuid        not null references calendars on delete cascade,
    generation          bigint      not null,
    event_id            text        not null,
    etag                text        not null,
    status              text        not null,
    updated             timestamptz,
    ical_uid            text,
    -- Set on an exception: the master's id, and which instance of it this one stands for (RFC 3339 or a date).
    recurring_event_id  text,
    original_start      text,
    -- Set on a master: RRULE, EXDATE and RDATE lines.
    recurrence          text[],
    raw                 jsonb       not null,
    -- Why the event is kept but not shown: a word, for what Google sent and we cannot read.
    problem             text,
    primary key (calendar_id, generation, event_id)
);
create index events_series on events (calendar_id, generation, recurring_event_id) where recurring_event_id is not null;
create index events_masters on events (calendar_id, generation) where recurrence is not null;

-- One row per instance; a series within the horizon, an event that does not repeat wherever it is. A read is one range
-- scan. An all-day instance has dates and, for the scan
-- alone, the instants at which those dates begin and end in the calendar's zone.
create table occurrences (
    user_id             text        not null,
    calendar_id         uuid        not null references calendars on delete cascade,
    generation          bigint      not null,
    -- Google's id of the instance, unique in the calendar.
    instance_id         text        not null,
    -- The event that this instance shows: a single event, an exception, or the master.
    event_id            text        not null,
    -- The master's id, or event_id where there is none: what a change replaces as a whole.
    series_id           text        not null,
    starts_at           timestamptz not null,
    ends_at             timestamptz not null,
    start_date          date,
    end_date            date, -- exclusive
    -- The `Event` of the API as the bytes that an answer needs.
    payload             jsonb       not null,
    primary key (calendar_id, generation, instance_id),
    check ((start_date is null) = (end_date is null))
);
create index occurrences_range on occurrences (user_id, starts_at) include (ends_at, calendar_id, generation);
create index occurrences_days on occurrences (user_id, start_date) where start_date is not null;
-- What may be running at some moment although it began long before: found by its end.
create index occurrences_long on occurrences (user_id, ends_at) where ends_at - starts_at > interval '36 hours';
create index occurrences_series on occurrences (calendar_id, generation, series_id);

-- Generations that no reader sees any more: replaced by a flip, or begun and given up. Their rows go in batches.
create table stale_generations (
    calendar_id         uuid        not null references calendars on delete cascade,
    generation          bigint      not null,
    primary key (calendar_id, generation)
);

-- Instances of a series are kept from a month back to thirteen months ahead; this is how far each calendar has come.
alter table sync_state add column horizon_until timestamptz;
create index sync_state_horizon on sync_state (horizon_until nulls first) where kind = 'events' and generation > 0;
