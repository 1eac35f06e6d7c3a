//! The work that is not done yet, by the database.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use sqlx::PgPool;
use tokio::time::sleep;

use super::plan::USERS;

pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Waits until every calendar is imported and no work is left.
pub async fn settle(database: &PgPool, within: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        let waits = waiting(database).await?;
        if waits.is_empty() {
            return Ok(());
        }
        if started.elapsed() > within {
            bail!("not in sync after {within:?}: {}", waits.join("; "));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Everything that is not done yet, with counts.
pub async fn waiting(database: &PgPool) -> Result<Vec<String>> {
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "select 'calendars that are due: ' || coalesce(string_agg(s.user_id || ' ' || coalesce(c.google_id, 'list')
                || ' not before ' || s.not_before || ' ' || coalesce(s.last_error, ''), ', '), ''), count(*)
         from sync_state s left join calendars c on c.id = s.resource_id
             where s.dirty_seq > s.synced_seq or s.last_pull_at is null
         union all select 'calendars at work', count(*) from sync_state where lease_token is not null
         union all select 'users without a calendar', $1 - count(distinct user_id) from calendars
         union all select 'messages', count(*) from outbox
         union all select 'writes', count(*) from write_intents where state in ('pending', 'sent')
         union all select 'grants that ended', count(*) from connections where grant_ended_at is not null
         union all select 'suspect grants', count(*) from connections where grant_suspect_at is not null",
    )
    .bind(i64::try_from(USERS.len())?)
    .fetch_all(database)
    .await?;
    let waits = counts.into_iter().filter(|(_, count)| *count > 0);
    Ok(waits.map(|(what, count)| format!("{what} ({count})")).collect())
}
