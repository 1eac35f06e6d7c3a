-- The search for resources that need a push channel examines those that may have become one, rather than all.

-- When a channel was requested, because the resource is new, resumed, or accessible again. Null once it was examined.
alter table sync_state add column channel_requested_at timestamptz;
create index sync_state_channel_requested_at on sync_state (channel_requested_at) where channel_requested_at is not null;
create index sync_state_missed_push_at on sync_state (missed_push_at) where missed_push_at is not null;
