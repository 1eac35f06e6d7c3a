-- The total order of what a user's browsers see. `seq` is taken under the row's lock, so commit order is seq order.
create table user_stream (
    user_id             text        primary key,
    -- The stream's identity: a restored backup gets a new one, so that a lower seq is not mistaken for old news.
    epoch               uuid        not null,
    seq                 bigint      not null default 0,
    -- The relay publishes one user's messages in order: head of line, one worker at a time.
    relay_lease         uuid,
    relay_leased_until  timestamptz,
    relay_attempts      integer     not null default 0,
    relay_not_before    timestamptz not null default '-infinity'
) with (fillfactor = 70);

-- What has been committed and not yet told. Written in the same commit as what it tells.
create table outbox (
    user_id             text        not null,
    seq                 bigint      not null,
    -- Also the publish's idempotency key.
    id                  uuid        not null,
    payload             bytea       not null,
    -- W3C trace context of the push that led here.
    traceparent         text,
    created_at          timestamptz not null,
    primary key (user_id, seq)
);

-- Messages that Centrifugo refused for good; a `resync` with the same seq went out in their place.
create table dead_letters (
    id                  uuid        primary key,
    user_id             text        not null,
    seq                 bigint      not null,
    payload             bytea       not null,
    reason              text        not null,
    created_at          timestamptz not null
);
