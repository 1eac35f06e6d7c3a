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

/// Takes one call from both budgets, from `narrow` first. False, and no call is to be made: one of them is spent. When
/// it is the wide one, the narrow one has lost a call; the other way round would let one busy user drain the project.
/// A transaction of its own.
pub async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    narrow: Budget<'_>,
    wide: Budget<'_>,
) -> sqlx::Result<bool> {
    let (minute, carried) = window(now);
    let taken = sqlx::query!(
        r#"with recent as (
               select coalesce(sum(used) filter (where bucket = $3), 0)::float8 * $2::float8 as narrow,
                      coalesce(sum(used) filter (where bucket = $5), 0)::float8 * $2::float8 as wide
               from quota_usage
               where bucket in ($3, $5) and minute = $1::timestamptz - interval '1 minute'
           ), narrow as (
               insert into quota_usage as q (bucket, minute, used)
               select $3, $1, 1 from recent where recent.narrow < $4::float8
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
           select exists (select from wide) as "taken!", set_config('synchronous_commit', 'off', true) as hurried"#,
        minute,
        carried,
        narrow.bucket,
        f64::from(narrow.per_minute),
        wide.bucket,
        f64::from(wide.per_minute),
    )
    .fetch_one(conn)
    .await?;
    Ok(taken.taken)
}

/// Spends a budget up to `until`, because Google said that it is: nobody calls before.
pub async fn exhaust(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    budget: Budget<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into quota_usage (bucket, minute, used)
         select $1, minute, $4
         from generate_series($2::timestamptz, $3::timestamptz, interval '1 minute') as minute
         on conflict (bucket, minute) do update set used = greatest(quota_usage.used, excluded.used)",
        budget.bucket,
        window(now).0,
        until,
        budget.per_minute,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the minutes that no window covers any more.
pub async fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from quota_usage where minute < $1",
        now - TimeDelta::minutes(5)
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}

/// The minute that `now` is in, and the share of the minute before that the last sixty seconds cover.
fn window(now: DateTime<Utc>) -> (DateTime<Utc>, f64) {
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
            taken += usize::from(take(conn, now, narrow, PROJECT).await.unwrap());
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
    async fn what_google_declared_spent_stays_spent_until_then(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T10:00:30Z".parse().unwrap();
        exhaust(&mut conn, now, now + TimeDelta::minutes(2), user("user:a"))
            .await
            .unwrap();
        for minutes in 0..3 {
            let at = now + TimeDelta::minutes(minutes);
            assert_eq!(taken(&mut conn, at, user("user:a"), 5).await, 0, "{minutes}");
            assert_eq!(taken(&mut conn, at, user("user:b"), 1).await, 1, "{minutes}");
        }
        assert!(taken(&mut conn, now + TimeDelta::minutes(4), user("user:a"), 5).await > 0);
        assert!(purge(&mut conn, now + TimeDelta::hours(1)).await.unwrap() >= 4);
    }
}
