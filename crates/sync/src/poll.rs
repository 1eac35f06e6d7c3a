//! Polling without a push, and purging of expired rows.
//!
//! A push is a hint that may be lost; polling is the guarantee. It takes at most a fifth of the million calls per day
//! that Google allows a project: with very many calendars, all of them are polled less often.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::worker::Pass;
use store::{dead_letters, oauth_states, poll, quota, watches};

use crate::Context;

/// A fifth of Google's daily million.
const POLLS_PER_DAY: f64 = 200_000.0;
const DAY: Duration = Duration::from_hours(24);
const BATCH: i64 = 500;
/// A channel's row outlives the channel, because pushes may arrive late.
const WATCH_ROW_GRACE: TimeDelta = TimeDelta::hours(1);
/// Google grants at most thirty days, so a channel of unknown expiry has expired after this.
const WATCH_LIFE_MAX: TimeDelta = TimeDelta::days(31);
/// Dead letters contain titles of events, so they are kept only as long as it takes to investigate them.
const DEAD_LETTERS_KEPT: TimeDelta = TimeDelta::days(7);

/// Marks resources dirty whose last poll is too long ago.
pub async fn run_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut conn = ctx.pool.acquire().await?;
    let spread = interval_by_budget(poll::active(&mut conn).await?);
    let (watched, unwatched) = (
        ctx.settings.poll_watched.max(spread),
        ctx.settings.poll_unwatched.max(spread),
    );
    let polled = poll::mark_due(&mut conn, ctx.clock.now(), watched, unwatched, BATCH).await?;
    if polled > 0 {
        tracing::debug!(
            polled,
            unwatched_every_s = unwatched.as_secs(),
            "Marked resources dirty for a poll"
        );
    }
    // After a full batch there may be more.
    Ok(if polled >= BATCH.unsigned_abs() {
        Pass::Worked
    } else {
        Pass::Idle
    })
}

/// The shortest interval at which polling `resources` stays within the daily budget.
fn interval_by_budget(resources: i64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 calendars")]
    DAY.mul_f64(resources.max(0) as f64 / POLLS_PER_DAY)
}

/// Deletes expired rows: past minutes of the call budget, expired channels, unfinished authorisations, old dead
/// letters.
pub async fn purge_once(ctx: &Context) -> sqlx::Result<Pass> {
    let now: DateTime<Utc> = ctx.clock.now();
    let mut conn = ctx.pool.acquire().await?;
    let minutes = quota::purge(&mut conn, now).await?;
    let channels = watches::purge(&mut conn, now - WATCH_ROW_GRACE, now - WATCH_LIFE_MAX).await?;
    let flows = oauth_states::purge_expired(&mut conn, now).await?;
    let letters = dead_letters::purge(&mut conn, now - DEAD_LETTERS_KEPT).await?;
    if minutes + channels + flows + letters > 0 {
        tracing::debug!(minutes, channels, flows, letters, "Purged expired rows");
    }
    Ok(Pass::Idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_stays_within_its_share_of_the_daily_quota() {
        let settings = crate::Settings::default();
        for resources in [0, 1, 100, 10_000, 1_000_000_i32] {
            for base in [settings.poll_watched, settings.poll_unwatched] {
                let interval = base.max(interval_by_budget(resources.into()));
                let polls = f64::from(resources) * DAY.div_duration_f64(interval);
                assert!(polls <= POLLS_PER_DAY * 1.000_001, "{resources}: {polls}");
            }
        }
        assert_eq!(interval_by_budget(50_000), Duration::from_hours(6));
        assert!(interval_by_budget(100) < settings.poll_unwatched);
    }
}
