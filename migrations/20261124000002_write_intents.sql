-- What a user asked to have written to Google, from before Google is called until somebody knows what came of it.
create table write_intents (
    id                  uuid        primary key,
    user_id             text        not null,
    -- The client's. A second request with it is the same request, and gets the same answer.
    idempotency_key     text        not null,
    -- sha256 of what was asked: the same key with another request is a mistake of the client.
    request_sha256      bytea       not null,
    connection_id       uuid        not null references connections on delete cascade,
    calendar_id         uuid        not null references calendars on delete cascade,
    operation           text        not null check (operation in ('create', 'update', 'delete', 'move', 'respond')),
    -- Google's id of the event. Of a new one it is chosen here, so that making it twice makes one.
    event_id            text        not null,
    -- All that it takes to do it, and how far a write of several steps has come.
    work                jsonb       not null,
    -- pending: Google has not been called. sent: it has, perhaps. The others are the end.
    state               text        not null check (state in ('pending', 'sent', 'done', 'failed', 'conflict')),
    -- The answer, once there is one.
    result              jsonb,
    -- The client has been told "pending": its browsers are told of the end.
    announce            boolean     not null default false,
    lease_token         uuid,
    leased_until        timestamptz,
    attempts            integer     not null default 0,
    not_before          timestamptz not null default '-infinity',
    created_at          timestamptz not null,
    unique (user_id, idempotency_key)
) with (fillfactor = 70);
create index write_intents_open on write_intents (not_before) where state in ('pending', 'sent');
create index write_intents_created_at on write_intents (created_at);

-- What events were before their last changes, for a day: an edit says by its etag which version it was made from.
create table event_versions (
    calendar_id         uuid        not null references calendars on delete cascade,
    event_id            text        not null,
    etag                text        not null,
    raw                 jsonb       not null,
    replaced_at         timestamptz not null,
    primary key (calendar_id, event_id, etag)
);
create index event_versions_replaced_at on event_versions (replaced_at);

-- Instances have more to show than when they were written: recurrence, reminders, and finer rights.
update sync_state set horizon_until = null where kind = 'events' and generation > 0;
