-- The version of the tz database by which all instances are expanded. A newer one expands every calendar again; so does the
-- first one, because earlier releases had rules of 2025, and occurrences without some fields of an Event.
create table zone_data (
    only_row            boolean     primary key default true check (only_row),
    version             text        not null
);
