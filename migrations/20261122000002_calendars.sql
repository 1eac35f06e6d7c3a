-- One calendar of one connection. The same Google calendar shared by two users is two rows.
create table calendars (
    id                  uuid        primary key,
    connection_id       uuid        not null references connections on delete cascade,
    user_id             text        not null,
    google_id           text        not null,
    summary             text        not null,
    description         text,
    time_zone           text        not null,
    color_id            text,
    background_color    text,
    foreground_color    text,
    access_role         text        not null,
    is_primary          boolean     not null default false,
    -- Mirrored and shown.
    selected            boolean     not null,
    -- False once Google has answered `pushNotSupportedForRequestedResource`: polled, and healthy.
    push_supported      boolean     not null default true,
    -- The calendar is no longer in the account's list, or Google refuses it; what is mirrored stays readable.
    access_lost_at      timestamptz,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    unique (connection_id, google_id)
);
create index calendars_user_id on calendars (user_id);
