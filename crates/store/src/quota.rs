//! How many calls were made to Google, by minute, shared by all processes.
//!
//! Google's window slides. Counting by calendar minutes alone would let twice the budget through around a minute's end,
//! so the minute before counts too, by the share of it that a window ending now still covers.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::PgConnection;

/// A budget: calls within any minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget<'a> {
    pub bucket: &'a str,
    pub per_minute: i32,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    Taken,
    /// Our own budget for this minute is spent.
    Spent,
    /// Google has asked for none before this moment.
    Paused(DateTime<Utc>),
}

/// Takes one call from both budgets, from `narrow` first. When it is the wide one that is spent, the narrow one has lost
/// a call; the other way round would let one busy user drain the project. A transaction of its own.
pub async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    narrow: Budget<'_>,
    wide: Budget<'_>,
) -> sqlx::Result<Take> {
    let (minute, carried) = window(now);
    let taken = sqlx::query!(
        r#"with paused as (
               select max(until) as until from quota_pauses where bucket in ($3, $5) and until > $7
           ), recent as (
               select coalesce(sum(used) filter (where bucket = $3), 0)::float8 * $2::float8 as narrow,
                      coalesce(sum(used) filter (where bucket = $5), 0)::float8 * $2::float8 as wide
               from quota_usage
               where bucket in ($3, $5) and minute = $1::timestamptz - interval '1 minute'
           ), narrow as (
               insert into quota_usage as q (bucket, minute, used)
               select $3, $1, 1 from recent, paused where paused.until is null and recent.narrow < $4::float8
               on conflict (bucket, minute) do update set used = q.used + 1
               where q.used + (select recent.narrow from recent) < $4::float8
               returning 1
           ), wide as (
               insert into quota_usage as q (bucket, minute, used)
               select $5, $1, 1 from narrow, recent where recent.wide < $6::float8
               on conflict (bucket, minute) do update set used = q.used + 1
               where q.used + (select recent.wide from recent) < $6::float8
               returning 1
           )
           -- A count that a crash of the database forgets does no harm: its commit does not wait for the disk.
           select exists (select from wide) as "taken!", (select until from paused) as until,
                  set_config('synchronous_commit', 'off', true) as hurried"#,
        minute,
        carried,
        narrow.bucket,
        f64::from(narrow.per_minute),
        wide.bucket,
        f64::from(wide.per_minute),
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(match (taken.taken, taken.until) {
        (true, _) => Take::Taken,
        (false, Some(until)) => Take::Paused(until),
        (false, None) => Take::Spent,
    })
}

/// Pauses a budget until then, because Google said so. A longer pause is not cut short.
pub async fn pause(conn: &mut PgConnection, bucket: &str, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into quota_pauses as p (bucket, until) values ($1, $2)
         on conflict (bucket) do update set until = greatest(p.until, excluded.until)",
        bucket,
        until,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the minutes that no window covers any more, and the pauses that are over.
pub async fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let minutes = sqlx::query!(
        "delete from quota_usage where minute < $1",
        now - TimeDelta::minutes(5)
    )
    .execute(&mut *conn)
    .await?;
    let pauses = sqlx::query!("delete from quota_pauses where until < $1", now)
        .execute(conn)
        .await?;
    Ok(minutes.rows_affected() + pauses.rows_affected())
}

/// The minute that `now` is in, and the share of the minute before that the last sixty seconds cover.
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

    /// How many of `n` calls are let through at once.
    async fn taken(conn: &mut PgConnection, now: DateTime<Utc>, narrow: Budget<'_>, n: usize) -> usize {
        let mut taken = 0;
        for _ in 0..n {
            taken += usize::from(take(conn, now, narrow, PROJECT).await.unwrap() == Take::Taken);
        }
        taken
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_window_of_a_minute_holds_more_than_the_budget(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let start: DateTime<Utc> = "2026-11-22T10:00:59Z".parse().unwrap();
        assert_eq!(taken(&mut conn, start, user("user:a"), 9).await, 4);
        // One second on another minute has begun, and nearly all of the calls are still within the last sixty seconds.
        let next = start + TimeDelta::seconds(1);
        assert_eq!(taken(&mut conn, next, user("user:a"), 9).await, 0);
        let half = start + TimeDelta::seconds(31);
        assert_eq!(taken(&mut conn, half, user("user:a"), 9).await, 2);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_busy_user_leaves_the_projects_budget_to_others(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(taken(&mut conn, now, user("user:a"), 100).await, 4);
        assert_eq!(taken(&mut conn, now, user("user:b"), 100).await, 4);
        assert_eq!(taken(&mut conn, now, user("user:c"), 100).await, 2);
        assert_eq!(taken(&mut conn, now, user("user:d"), 100).await, 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_pause_lasts_as_long_as_google_said_and_for_nobody_else(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:30Z".parse().unwrap();
        let until = now + TimeDelta::seconds(90);
        pause(&mut conn, "user:a", until).await.unwrap();
        pause(&mut conn, "user:a", now + TimeDelta::seconds(1))
            .await
            .unwrap();
        for seconds in [0, 60, 89] {
            let at = now + TimeDelta::seconds(seconds);
            let refused = take(&mut conn, at, user("user:a"), PROJECT).await.unwrap();
            assert_eq!(refused, Take::Paused(until), "{seconds}");
            assert_eq!(taken(&mut conn, at, user("user:b"), 1).await, 1, "{seconds}");
        }
        assert_eq!(taken(&mut conn, until, user("user:a"), 5).await, 4);
        assert!(purge(&mut conn, now + TimeDelta::hours(1)).await.unwrap() >= 2);
    }
}
