-- What the metrics, the traces and the canary need of the rows.

-- Since when a resource has been due without having been pulled to the end, over however many tries: a push that comes
-- during a try moves dirty_at on, and not this.
alter table sync_state add column due_since timestamptz;
-- A pull that no push asked for found a change that a live channel should have told of. The next push takes it back.
alter table sync_state add column missed_push_at timestamptz;
-- W3C trace context of the push that made the resource due, while traces are on.
alter table sync_state add column traceparent text;

-- The canary: one change at a time, however many renewers there are.
create table canary (
    user_id             text        primary key,
    lease_token         uuid,
    leased_until        timestamptz,
    not_before          timestamptz not null default '-infinity',
    -- The event that it changes, once there is one.
    event_id            text,
    created_at          timestamptz not null,
    -- The last change that came by push, and what became of the last one of all.
    last_push_at        timestamptz,
    last_result         text,
    last_at             timestamptz
);
