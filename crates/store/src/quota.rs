//! Units of Google's quota used per minute, shared by all processes.
//!
//! Google's window slides. Counting by calendar minutes alone would allow twice the budget around a minute's end, so the
//! previous minute counts too, by the share of it that a window ending now still covers.
//!
//! Pauses use the database's clock, as leases do. Otherwise a process whose clock is ahead would pause all others.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::sync_state::interval;

/// A budget: units within any minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget<'a> {
    pub bucket: &'a str,
    pub per_minute: i32,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    Taken,
    /// Our own budget for this minute is used up.
    Spent,
    /// Paused after a rate limit by Google, for this much longer.
    Paused(Duration),
}

/// Takes `units` from both budgets, from `narrow` first. If `wide` is used up, `narrow` has lost them; in the other order
/// one busy user could drain the project. `pauses`: a third bucket whose pauses count. Runs as its own transaction.
pub async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    narrow: Budget<'_>,
    wide: Budget<'_>,
    pauses: Option<&str>,
    units: i32,
) -> sqlx::Result<Take> {
    let (minute, carried) = window(now);
    let taken = sqlx::query!(
        r#"with paused as (
               select extract(epoch from max(until) - clock_timestamp())::float8 as wait from quota_pauses
               where bucket in ($3, $5, $8) and until > clock_timestamp()
           ), recent as (
               select coalesce(sum(used) filter (where bucket = $3), 0)::float8 * $2::float8 as narrow,
                      coalesce(sum(used) filter (where bucket = $5), 0)::float8 * $2::float8 as wide
               from quota_usage
               where bucket in ($3, $5) and minute = $1::timestamptz - interval '1 minute'
           ), narrow as (
               insert into quota_usage as q (bucket, minute, used)
               select $3, $1, $7::integer from recent, paused where paused.wait is null and recent.narrow + $7::integer - 1 < $4::float8
               on conflict (bucket, minute) do update set used = q.used + $7::integer
               where q.used + (select recent.narrow from recent) + $7::integer - 1 < $4::float8
               returning 1
           ), wide as (
               insert into quota_usage as q (bucket, minute, used)
               select $5, $1, $7::integer from narrow, recent where recent.wide + $7::integer - 1 < $6::float8
               on conflict (bucket, minute) do update set used = q.used + $7::integer
               where q.used + (select recent.wide from recent) + $7::integer - 1 < $6::float8
               returning 1
           )
           -- Losing a count in a crash of Postgres is harmless, so the commit does not wait for the disk.
           select exists (select from wide) as "taken!", (select wait from paused) as wait,
                  set_config('synchronous_commit', 'off', true) as hurried"#,
        minute,
        carried,
        narrow.bucket,
        f64::from(narrow.per_minute),
        wide.bucket,
        f64::from(wide.per_minute),
        units,
        pauses,
    )
    .fetch_one(conn)
    .await?;
    Ok(match (taken.taken, taken.wait) {
        (true, _) => Take::Taken,
        (false, Some(wait)) => Take::Paused(Duration::try_from_secs_f64(wait).unwrap_or_default()),
        (false, None) => Take::Spent,
    })
}

/// Pauses a budget for `wait` after a rate limit by Google. A longer pause is not shortened.
pub async fn pause(conn: &mut PgConnection, bucket: &str, wait: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into quota_pauses as p (bucket, until) values ($1, clock_timestamp() + $2)
         on conflict (bucket) do update set until = greatest(p.until, excluded.until)",
        bucket,
        interval(wait),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// As [`pause`], for a limit whose owner Google did not name. Returns how many accounts have met such a limit during the
/// last `within`, this one included. A bucket is named `<kind>:<account>`.
pub async fn pause_unnamed(
    conn: &mut PgConnection,
    bucket: &str,
    wait: Duration,
    within: Duration,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"with paused as (
               insert into quota_pauses as p (bucket, until, unnamed_at)
               values ($1, clock_timestamp() + $2, clock_timestamp())
               on conflict (bucket) do update
               set until = greatest(p.until, excluded.until), unnamed_at = excluded.unnamed_at
           )
           select 1 + count(distinct split_part(bucket, ':', 2)) as "accounts!" from quota_pauses
           where unnamed_at > clock_timestamp() - $3::interval and split_part(bucket, ':', 2) <> split_part($1, ':', 2)"#,
        bucket,
        interval(wait),
        interval(within),
    )
    .fetch_one(conn)
    .await
}

/// Deletes minutes that no window covers any more, and expired pauses.
pub async fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let minutes = sqlx::query!(
        "delete from quota_usage where minute < $1",
        now - TimeDelta::minutes(5)
    )
    .execute(&mut *conn)
    .await?;
    let pauses = sqlx::query!("delete from quota_pauses where until < clock_timestamp()")
        .execute(conn)
        .await?;
    Ok(minutes.rows_affected() + pauses.rows_affected())
}

/// The minute of `now`, and the share of the previous minute that the last sixty seconds cover.
pub(crate) fn window(now: DateTime<Utc>) -> (DateTime<Utc>, f64) {
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let passed = (now - minute).as_seconds_f64() / 60.0;
    (minute, 1.0 - passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::PgPool;

    const PROJECT: Budget<'_> = Budget {
        bucket: "project",
        per_minute: 10,
    };

    fn user(bucket: &str) -> Budget<'_> {
        Budget {
            bucket,
            per_minute: 4,
        }
    }

    /// How many of `n` calls are allowed.
    async fn taken(conn: &mut PgConnection, now: DateTime<Utc>, narrow: Budget<'_>, n: usize) -> usize {
        let mut taken = 0;
        for _ in 0..n {
            taken += usize::from(take(conn, now, narrow, PROJECT, None, 1).await.unwrap() == Take::Taken);
        }
        taken
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_sliding_minute_exceeds_the_budget(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let start: DateTime<Utc> = "2026-11-22T10:00:59Z".parse().unwrap();
        assert_eq!(taken(&mut conn, start, user("user:a"), 9).await, 4);
        // A second later is another minute, but nearly all calls are still within the last sixty seconds.
        let next = start + TimeDelta::seconds(1);
        assert_eq!(taken(&mut conn, next, user("user:a"), 9).await, 0);
        let half = start + TimeDelta::seconds(31);
        assert_eq!(taken(&mut conn, half, user("user:a"), 9).await, 2);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_busy_user_does_not_drain_the_project(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(taken(&mut conn, now, user("user:a"), 100).await, 4);
        assert_eq!(taken(&mut conn, now, user("user:b"), 100).await, 4);
        assert_eq!(taken(&mut conn, now, user("user:c"), 100).await, 2);
        assert_eq!(taken(&mut conn, now, user("user:d"), 100).await, 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_call_takes_all_its_units_or_none(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let mut three = async || {
            take(&mut conn, now, user("user:a"), PROJECT, None, 3)
                .await
                .unwrap()
        };
        assert_eq!((three().await, three().await), (Take::Taken, Take::Spent));
        assert_eq!(taken(&mut conn, now, user("user:a"), 9).await, 1);
        // The project's ten: four for user a, three for user b; three more fit for user c, none for user d.
        let mut of = async |name| take(&mut conn, now, user(name), PROJECT, None, 3).await.unwrap();
        assert_eq!(
            (of("user:b").await, of("user:c").await, of("user:d").await),
            (Take::Taken, Take::Taken, Take::Spent)
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_pause_lasts_as_asked_and_for_one_user(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:30Z".parse().unwrap();
        pause(&mut conn, "user:a", Duration::from_secs(90)).await.unwrap();
        pause(&mut conn, "user:a", Duration::from_secs(1)).await.unwrap();
        // The caller's clock does not matter.
        for minutes in [-5, 0, 5] {
            let at = now + TimeDelta::minutes(minutes);
            let refused = take(&mut conn, at, user("user:a"), PROJECT, None, 1)
                .await
                .unwrap();
            let Take::Paused(wait) = refused else {
                panic!("{minutes}: {refused:?}")
            };
            assert!((60..=90).contains(&wait.as_secs()), "{wait:?}");
            assert_eq!(taken(&mut conn, at, user("user:b"), 1).await, 1, "{minutes}");
        }
        sqlx::query("update quota_pauses set until = clock_timestamp()")
            .execute(&mut *conn)
            .await
            .unwrap();
        assert_eq!(taken(&mut conn, now, user("user:a"), 5).await, 4);
        assert!(purge(&mut conn, now + TimeDelta::hours(1)).await.unwrap() >= 2);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn unnamed_limits_are_counted_by_account(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let mut meet = async |bucket| {
            let (wait, within) = (Duration::from_mins(1), Duration::from_secs(10));
            pause_unnamed(&mut conn, bucket, wait, within).await.unwrap()
        };
        assert_eq!(meet("user:a").await, 1);
        assert_eq!(meet("user:a").await, 1);
        assert_eq!(meet("writes:a").await, 1);
        assert_eq!(meet("writes:b").await, 2);
        sqlx::query("update quota_pauses set unnamed_at = clock_timestamp() - interval '11 seconds' where bucket like '%a'")
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(meet("user:c").await, 2);
    }
}
