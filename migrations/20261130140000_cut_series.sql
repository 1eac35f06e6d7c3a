-- Series with more instances within the horizon than are kept, so that a read of the missing ones says that it is shortened.
-- There are hardly any: Google's page offers nothing more frequent than daily.
create table cut_series (
    calendar_id         uuid        not null references calendars on delete cascade,
    generation          bigint      not null,
    series_id           text        not null,
    -- The start of the last instance that is kept.
    cut_at              timestamptz not null,
    primary key (calendar_id, generation, series_id)
);

-- Without a version, every calendar is expanded again, in slices, which records the series that are cut now.
delete from zone_data;
