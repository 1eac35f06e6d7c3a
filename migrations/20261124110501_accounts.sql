-- An account that leaves: who sees to it, and when it is tried again. Whoever disconnects does it at once and holds the
-- lease meanwhile; what is left over, by a crash or because Google does not answer, is finished by a renewer.
alter table connections
    add column leave_lease          uuid,
    add column leave_leased_until   timestamptz,
    add column leave_attempts       integer     not null default 0,
    add column leave_not_before     timestamptz not null default '-infinity';
create index connections_leaving on connections (leave_not_before) where disconnected_at is not null;

-- Instances tell which copy of a meeting is shown where several calendars have one: they are expanded anew.
update sync_state set horizon_until = null where kind = 'events' and generation > 0;
