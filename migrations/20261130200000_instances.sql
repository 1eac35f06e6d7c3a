-- An event is stored once; its instances are times.

-- What the API shows of an event, without times and ids: JSON as text, which Postgres neither parses nor reorders. Empty: the
-- event is not shown. Null: it was written by a version before this one and is not converted yet; until then, its series is
-- expanded while reading.
alter table events add column view text;
create index events_unconverted on events (calendar_id, generation) where view is null;

-- A version before this one changes an event without its view.
create function forget_view() returns trigger language plpgsql as $$
begin
    if new.raw is distinct from old.raw and new.view is not distinct from old.view then
        new.view := null;
    end if;
    return new;
end
$$;
create trigger events_forget_view before update on events for each row execute function forget_view();

-- When the instances of an event take place: of a series within the horizon, of another event wherever it is. Their ids follow
-- from the event's id and their starts.
create table instances (
    user_id             text        not null,
    calendar_id         uuid        not null references calendars on delete cascade,
    generation          bigint      not null,
    -- A single event, an exception, or the master.
    event_id            text        not null,
    -- The master's id, or event_id where there is none: what a change replaces as a whole.
    series_id           text        not null,
    is_master           boolean     not null,
    -- The first start and the last end. All-day instances begin and end in the calendar's zone.
    starts_at           timestamptz not null,
    ends_at             timestamptz not null,
    is_all_day          boolean     not null,
    -- In order. For an all-day event, the midnights in UTC of its dates.
    starts              timestamptz[] not null,
    -- Seconds from each start to its end.
    length              bigint      not null,
    -- Set if the series has more instances within the horizon than are kept: the start of the last one that is.
    cut_at              timestamptz,
    primary key (calendar_id, generation, event_id)
);
-- What is short is found by its start, what is long (a series is) by its end.
create index instances_short on instances (user_id, starts_at) where ends_at - starts_at <= interval '36 hours';
create index instances_long on instances (user_id, ends_at) where ends_at - starts_at > interval '36 hours';
create index instances_series on instances (calendar_id, generation, series_id);
create index instances_cut on instances (calendar_id, generation) where cut_at is not null;

-- Services of the version before read and write these. The next version drops them.
do $$
begin
    if not exists (select from events) then
        drop table occurrences, cut_series;
    end if;
end
$$;
