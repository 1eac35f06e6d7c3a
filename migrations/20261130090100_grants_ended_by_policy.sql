-- Why a grant ended, where Google gave a reason other than `invalid_grant`: a policy of the account's organization. Its
-- refresh token is kept and tried again now and then, since the policy may change.
alter table connections
    add column grant_suspect_reason text,
    add column grant_ended_reason   text,
    add column grant_recheck_at     timestamptz;
create index connections_grant_recheck_at on connections (grant_recheck_at)
    where grant_ended_reason is not null and disconnected_at is null;
