//! When a user views a calendar, a pull of the resources that push does not cover is requested at once rather than when
//! their poll is due.

use std::time::Duration;

use common::ids::UserId;
use moka::sync::Cache;

/// At most one pull request per user in this interval.
const INTERVAL: Duration = Duration::from_mins(1);
const USERS_MAX: u64 = 100_000;

/// The users that viewed a calendar in the last minute.
#[derive(Clone)]
pub struct RecentViews(Cache<UserId, ()>);

impl Default for RecentViews {
    fn default() -> Self {
        let users = Cache::builder()
            .max_capacity(USERS_MAX)
            .time_to_live(INTERVAL)
            .build();
        Self(users)
    }
}

/// Marks the user's polled resources dirty, in the background: no read waits for it, and it may fail.
pub fn request_pull(recent: &RecentViews, ctx: &sync::Context, user: &UserId) {
    let entry = recent.0.entry_by_ref(user).or_insert(());
    if !entry.is_fresh() {
        return;
    }
    let (ctx, user) = (ctx.clone(), user.clone());
    tokio::spawn(async move {
        let marked = async {
            let mut conn = ctx.pool.acquire().await?;
            store::sync_state::mark_dirty_on_view(&mut conn, ctx.clock.now(), &user).await
        };
        if let Err(error) = marked.await {
            tracing::warn!(%error, "Could not request a pull for a viewed calendar; the next poll will");
        }
    });
}
