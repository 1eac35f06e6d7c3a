//! Messages that are committed and not yet published.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{UserId, new_uuid};
use common::lease::Lease;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::{Cause, interval};

/// Appends a message in the transaction of the change that it describes, and wakes the relay on commit.
///
/// `seq` comes from [`user_stream::next_seq`](crate::user_stream::next_seq) in the same transaction. It is also in
/// `payload`, the JSON to be published.
pub async fn enqueue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    seq: i64,
    payload: &[u8],
    traceparent: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with message as (
             insert into outbox (user_id, seq, id, payload, traceparent, created_at)
             values ($1, $2, $3, $4, $5, $6)
         )
         select pg_notify('calwire_outbox', '')",
        user.as_str(),
        seq,
        new_uuid(),
        payload,
        traceparent,
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// One user's unpublished messages, in order, leased to a relay. No other relay publishes to this user during the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    pub lease: Lease<UserId>,
    /// The identity of the user's stream ([`user_stream`](crate::user_stream)).
    pub epoch: Uuid,
    /// The first ones; never empty.
    pub messages: Vec<Outgoing>,
    /// Another worker's lease on it expired.
    pub taken_over: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub seq: i64,
    /// The publication's idempotency key.
    pub id: Uuid,
    pub payload: Vec<u8>,
    pub traceparent: Option<String>,
}

/// Leases up to `streams` users with messages to publish, with up to `depth` messages each.
///
/// Here and in [`settle`], the commit does not wait for the disk, since browsers are waiting. A lease or a deletion that is
/// lost in a crash of Postgres only leads to the same publication with the same idempotency key.
pub async fn acquire(
    conn: &mut PgConnection,
    lease: Duration,
    streams: i64,
    depth: i64,
) -> sqlx::Result<Vec<Stream>> {
    // `waiting` jumps from user to user in the primary key, so that a long backlog of few users costs little.
    let rows = sqlx::query!(
        "with recursive waiting as (
             (select user_id from outbox order by user_id limit 1)
             union all
             select (select o.user_id from outbox o where o.user_id > w.user_id order by o.user_id limit 1)
             from waiting w where w.user_id is not null
         ), free as (
             select u.user_id, u.taken_over from waiting w cross join lateral (
                 select user_id, relay_lease is not null as taken_over from user_stream
                 where user_id = w.user_id and relay_not_before <= now()
                   and (relay_leased_until is null or relay_leased_until < now())
                 for no key update skip locked
             ) u
             limit $2
         ), leased as (
             update user_stream u
             set relay_lease = gen_random_uuid(), relay_leased_until = now() + $1,
                 relay_attempts = relay_attempts + 1
             from free where u.user_id = free.user_id
             returning u.user_id, u.epoch, u.relay_lease, u.relay_attempts, free.taken_over
         )
         select l.user_id as \"user_id!\", l.epoch as \"epoch!\", l.relay_lease as \"relay_lease!\",
                l.relay_attempts as \"relay_attempts!\", l.taken_over as \"taken_over!\", o.seq as \"seq!\", o.id as \"id!\",
                o.payload as \"payload!\", o.traceparent, set_config('synchronous_commit', 'off', true)
         from leased l cross join lateral (
             select seq, id, payload, traceparent from outbox where user_id = l.user_id order by seq limit $3
         ) o
         order by l.user_id, o.seq",
        interval(lease),
        streams,
        depth,
    )
    .fetch_all(conn)
    .await?;
    let mut streams: Vec<Stream> = Vec::new();
    for row in rows {
        let message = Outgoing {
            seq: row.seq,
            id: row.id,
            payload: row.payload,
            traceparent: row.traceparent,
        };
        match streams.last_mut() {
            Some(stream) if stream.lease.key.as_str() == row.user_id => stream.messages.push(message),
            _ => streams.push(Stream {
                lease: Lease::new(
                    crate::user_id(row.user_id)?,
                    row.relay_lease,
                    row.relay_attempts.unsigned_abs(),
                ),
                epoch: row.epoch,
                taken_over: row.taken_over,
                messages: vec![message],
            }),
        }
    }
    Ok(streams)
}

/// A message that Centrifugo accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub seq: i64,
    pub at: DateTime<Utc>,
}

/// A pull whose message was published: the times of a change, from the cause of its pull to the publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    pub cause: Cause,
    pub asked_at: DateTime<Utc>,
    pub committed_at: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
}

/// Ends a lease: deletes all messages up to `published_up_to`, and delays the rest by `retry_after`. The pulls that wrote
/// the `accepted` messages get their publication time and are returned. None: the lease was lost, and nothing was changed.
pub async fn settle(
    conn: &mut PgConnection,
    lease: &Lease<UserId>,
    published_up_to: Option<i64>,
    accepted: &[Accepted],
    retry_after: Option<Duration>,
) -> sqlx::Result<Option<Vec<Published>>> {
    let seqs: Vec<i64> = accepted.iter().map(|message| message.seq).collect();
    let times: Vec<DateTime<Utc>> = accepted.iter().map(|message| message.at).collect();
    // A pull log entry that is locked is being deleted together with its calendar.
    let rows = sqlx::query!(
        "with settled as (
             update user_stream
             set relay_lease = null, relay_leased_until = null,
                 relay_attempts = case when $3::bigint is null and $4::interval is not null
                                       then relay_attempts else 0 end,
                 relay_not_before = coalesce(clock_timestamp() + $4, relay_not_before)
             where user_id = $1 and relay_lease = $2
             returning user_id
         ), published as (
             delete from outbox o using settled s where o.user_id = s.user_id and o.seq <= $3
         ), logged as materialized (
             select r.calendar_id, r.number, p.at
             from settled s cross join unnest($5::bigint[], $6::timestamptz[]) as p(seq, at)
             join sync_rounds r on r.user_id = s.user_id and r.seq = p.seq
             where r.seq is not null and r.published_at is null
             for no key update of r skip locked
         ), dated as (
             update sync_rounds r set published_at = h.at from logged h
             where r.calendar_id = h.calendar_id and r.number = h.number
             returning r.cause, r.asked_at, r.committed_at, r.published_at
         )
         select d.cause as \"cause?\", d.asked_at as \"asked_at?\", d.committed_at as \"committed_at?\",
                d.published_at as \"published_at?\", set_config('synchronous_commit', 'off', true)
         from settled left join dated d on true",
        lease.key.as_str(),
        lease.token,
        published_up_to,
        retry_after.map(interval),
        &seqs,
        &times,
    )
    .fetch_all(conn)
    .await?;
    let published = rows.iter().filter_map(|row| {
        Some(Published {
            cause: Cause::parse(row.cause.as_deref()?),
            asked_at: row.asked_at?,
            committed_at: row.committed_at?,
            published_at: row.published_at?,
        })
    });
    Ok((!rows.is_empty()).then(|| published.collect()))
}

/// Moves a message that can never be published to the dead letters, and puts `replacement` in its place under the same
/// seq. Returns the new message's id. None: the lease was lost.
pub async fn dead_letter(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    lease: &Lease<UserId>,
    seq: i64,
    reason: &str,
    replacement: &[u8],
) -> sqlx::Result<Option<Uuid>> {
    // `lettered` reads the row as it was before this statement.
    sqlx::query_scalar!(
        "with replaced as (
             update outbox o set payload = $4, id = gen_random_uuid() from user_stream u
             where u.user_id = $1 and u.relay_lease = $2 and o.user_id = u.user_id and o.seq = $3
             returning o.id
         ), lettered as (
             insert into dead_letters (id, user_id, seq, payload, reason, created_at)
             select id, user_id, seq, payload, $5, $6 from outbox
             where user_id = $1 and seq = $3 and exists (select from replaced)
         )
         select id as \"id!\" from replaced",
        lease.key.as_str(),
        lease.token,
        seq,
        replacement,
        reason,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// Up to a thousand messages of a stream, beyond its first `depth`, that have more than `len` bytes: seq and payload. Once
/// they are shortened, the next call returns others.
pub async fn overlong_tail(
    conn: &mut PgConnection,
    lease: &Lease<UserId>,
    depth: i64,
    len: i32,
) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select o.seq, o.payload from (
             select seq, payload from outbox where user_id = $1 order by seq offset $3
         ) o
         where octet_length(o.payload) > $4
           and exists (select from user_stream where user_id = $1 and relay_lease = $2)
         order by o.seq
         limit 1000",
        lease.key.as_str(),
        lease.token,
        depth,
        len,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.seq, row.payload)).collect())
}

/// Replaces the payloads of messages that were never sent by shorter ones. Does nothing if the lease was lost.
pub async fn shorten(
    conn: &mut PgConnection,
    lease: &Lease<UserId>,
    seqs: &[i64],
    payloads: &[Vec<u8>],
) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox o set payload = short.payload
         from unnest($3::bigint[], $4::bytea[]) as short(seq, payload)
         where o.user_id = $1 and o.seq = short.seq
           and exists (select from user_stream where user_id = $1 and relay_lease = $2)",
        lease.key.as_str(),
        lease.token,
        seqs,
        payloads,
    )
    .execute(conn)
    .await?;
    Ok(())
}
