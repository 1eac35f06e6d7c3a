//! Somebody looks at a calendar: what push does not keep current is asked for now, not when its poll is due.

use std::sync::Arc;
use std::time::Duration;

use common::ids::UserId;
use moka::sync::Cache;

use crate::state::Caller;

/// How often a user's looking costs a statement, at most.
const INTERVAL: Duration = Duration::from_mins(1);
const USERS_MAX: u64 = 100_000;

/// Who looked in the last minute.
#[derive(Clone)]
pub struct Openings(Cache<UserId, ()>);

impl Default for Openings {
    fn default() -> Self {
        let seen = Cache::builder()
            .max_capacity(USERS_MAX)
            .time_to_live(INTERVAL)
            .build();
        Self(seen)
    }
}

/// Notes that the caller looks. Returns at once: no read waits for it, and it may fail.
pub fn note(caller: &Caller) {
    let state = &caller.state;
    let entry = state.openings.0.entry_by_ref(&caller.user).or_insert(());
    if !entry.is_fresh() {
        return;
    }
    let (state, user) = (Arc::clone(state), caller.user.clone());
    tokio::spawn(async move {
        let bumped = async {
            let mut conn = state.sync.pool.acquire().await?;
            store::sync_state::mark_dirty_on_view(&mut conn, state.now(), &user).await
        };
        if let Err(error) = bumped.await {
            tracing::warn!(%error, "Could not ask for a pull on opening; the next poll will");
        }
    });
}
