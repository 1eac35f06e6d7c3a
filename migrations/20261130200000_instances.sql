-- An event is stored once; its instances are times.

-- Generations with events that have no view, below. An index of those events would be built while nothing can read or write
-- them. For the same reason, no foreign key is checked, and the table is filled before `events` is locked.
create table unconverted (
    calendar_id         uuid        not null,
    generation          bigint      not null,
    primary key (calendar_id, generation)
);
insert into unconverted
    select resource_id, generation from sync_state where kind = 'events' and generation > 0
    union all
    select resource_id, building from sync_state where kind = 'events' and building > generation;

-- What the API shows of an event, without times and ids: JSON as text, which Postgres neither parses nor reorders. Empty: the
-- event is not shown. Null: it was written by a version before this one and is not converted yet; until then, its series is
-- expanded while reading.
alter table events add column view text;

-- Generations that began before the lock.
insert into unconverted
    select resource_id, building from sync_state s where kind = 'events' and building > generation
        and not exists (select from unconverted u where (u.calendar_id, u.generation) = (resource_id, building))
    union all
    select resource_id, generation from sync_state s where kind = 'events' and generation > 0
        and not exists (select from unconverted u where (u.calendar_id, u.generation) = (resource_id, s.generation));

-- A version before this one changes an event without its view, and inserts it without one. A cancelled event has an empty one,
-- whoever writes it.
create function forget_view() returns trigger language plpgsql as $$
begin
    new.view := null;
    return new;
end
$$;
create trigger events_forget_view before update on events for each row
    when (new.view is not distinct from old.view and new.view is not null and new.raw is distinct from old.raw
          and not (new.view = '' and new.status = 'cancelled'))
    execute function forget_view();
create function mark_unconverted() returns trigger language plpgsql as $$
begin
    insert into unconverted values (new.calendar_id, new.generation) on conflict do nothing;
    return null;
end
$$;
create trigger events_mark_unconverted after insert or update on events for each row
    when (new.view is null) execute function mark_unconverted();

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

-- A version before this one deletes events, but not their instances.
create function delete_instances() returns trigger language plpgsql as $$
begin
    delete from instances i using deleted d
    where (i.calendar_id, i.generation, i.event_id) = (d.calendar_id, d.generation, d.event_id);
    return null;
end
$$;
create trigger events_delete_instances after delete on events referencing old table as deleted
    for each statement execute function delete_instances();

-- Reads of a series that is cut say so, also before it is converted.
insert into instances (user_id, calendar_id, generation, event_id, series_id, is_master, starts_at, ends_at, is_all_day,
                       starts, length, cut_at)
    select c.user_id, s.calendar_id, s.generation, s.series_id, s.series_id, true, s.cut_at, s.cut_at, false, '{}', 0, s.cut_at
    from cut_series s join calendars c on c.id = s.calendar_id;

-- Services of the version before read and write these. The next version drops them, the triggers and `unconverted`.
do $$
begin
    if not exists (select from events) then
        drop table occurrences, cut_series;
    end if;
end
$$;
