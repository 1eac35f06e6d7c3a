-- What is pulled as a whole: the events of a calendar (resource_id = calendars.id) or the calendar list of a connection
-- (resource_id = connections.id). Narrow and hot, apart from the wide rows.
create table sync_state (
    resource_id         uuid        primary key,
    kind                text        not null check (kind in ('events', 'calendar_list')),
    connection_id       uuid        not null references connections on delete cascade,
    user_id             text        not null,
    -- A notification, a poll or a person raises dirty_seq; a pull that has committed sets synced_seq to the value that
    -- dirty_seq had before its first page. Due while dirty_seq > synced_seq.
    dirty_seq           bigint      not null default 0,
    synced_seq          bigint      not null default 0,
    dirty_at            timestamptz,
    sync_token          text,
    -- The generation that readers see, and the one being built by a full listing, if any.
    generation          bigint      not null default 0,
    building            bigint,
    -- A full listing that would sweep most of the calendar waits for a second one to agree; this is the first's digest.
    sweep_digest        bytea,
    lease_token         uuid,
    leased_until        timestamptz,
    attempts            integer     not null default 0,
    not_before          timestamptz not null default '-infinity',
    -- When the next poll is due, push or no push.
    poll_at             timestamptz not null default '-infinity',
    last_push_at        timestamptz,
    last_pull_at        timestamptz,
    -- The last pull that brought a change. Long after last_push_at, it shows that a channel has gone silent.
    last_change_at      timestamptz,
    -- The last flip to a new generation: a token that is refused at once again does not start an endless listing.
    rebuilt_at          timestamptz,
    -- A word, never a body: `rate_limited`, `transient`, `reauth_required`, …
    last_error          text,
    last_error_at       timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200);
create index sync_state_due on sync_state (not_before) where dirty_seq > synced_seq;
create index sync_state_poll_at on sync_state (poll_at);
create index sync_state_connection on sync_state (connection_id);

-- One push channel at Google. The row is committed before Google is called, for the first push may come before
-- Google's answer. States: pending -> live -> replaced -> stopped.
create table watches (
    channel_id          text        primary key,
    resource_id         uuid        not null,  -- sync_state.resource_id
    connection_id       uuid        not null references connections on delete cascade,
    token_sha256        bytea       not null,
    -- Google's opaque id of what is watched; known from its answer or from the first push, whichever comes first.
    google_resource_id  text,
    expires_at          timestamptz,
    renew_at            timestamptz,
    state               text        not null check (state in ('pending', 'live', 'replaced', 'stopped')),
    -- Where pushes were asked to go: another public URL means another channel.
    address             text        not null,
    last_message_at     timestamptz,
    lease_token         uuid,
    leased_until        timestamptz,
    attempts            integer     not null default 0,
    not_before          timestamptz not null default '-infinity',
    created_at          timestamptz not null
);
-- At most one channel of a resource is being made at a time, however many renewers run.
create unique index watches_one_pending on watches (resource_id) where state = 'pending';
create index watches_resource on watches (resource_id);
create index watches_live_renew_at on watches (renew_at) where state = 'live';
create index watches_to_stop on watches (not_before) where state = 'replaced';

-- Calls made to Google, by minute, for the budgets per user and per project.
create table quota_usage (
    bucket              text        not null,  -- 'project' or 'user:<google sub>'
    minute              timestamptz not null,
    used                integer     not null,
    primary key (bucket, minute)
) with (fillfactor = 50);

-- Until when Google has asked for no calls at all, for a budget.
create table quota_pauses (
    bucket              text        primary key,
    until               timestamptz not null
);
