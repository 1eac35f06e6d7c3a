//! How often one user may call.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::UserId;
use moka::sync::Cache;
use rpc::{Code, RpcError};
use std::sync::{Mutex, PoisonError};

/// Users that are remembered at once. Beyond it the least recent are forgotten, which costs nobody anything.
const USERS_MAX: u64 = 100_000;

/// A minute's worth at once, then evenly: the generic cell rate algorithm, one instant per user.
pub struct RateLimit {
    /// Between two requests in the long run.
    interval: TimeDelta,
    /// When a user's budget would be whole again.
    users: Cache<UserId, Arc<Mutex<DateTime<Utc>>>>,
}

/// The budget's span.
const BURST: TimeDelta = TimeDelta::minutes(1);

impl RateLimit {
    pub fn per_minute(requests: u32) -> Self {
        let interval = BURST / i32::try_from(requests.max(1)).unwrap_or(i32::MAX);
        Self {
            interval: interval.max(TimeDelta::microseconds(1)),
            users: Cache::builder()
                .max_capacity(USERS_MAX)
                .time_to_idle(Duration::from_mins(2))
                .build(),
        }
    }

    /// Counts one request of `user`, or says when to come back.
    pub fn count(&self, user: &UserId, now: DateTime<Utc>) -> Result<(), RpcError> {
        let whole_at = self.users.get_with_by_ref(user, || Arc::new(Mutex::new(now)));
        let mut whole_at = whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*whole_at).max(now) + self.interval;
        let over = after - now - BURST;
        if over > TimeDelta::zero() {
            let wait = over.to_std().unwrap_or_default();
            return Err(RpcError::of(Code::TooManyRequests).with_retry_after(wait));
        }
        *whole_at = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_calls_too_often_waits_and_nobody_else_does() {
        let limit = RateLimit::per_minute(60);
        let (alice, bob) = (UserId::parse("alice").unwrap(), UserId::parse("bob").unwrap());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for _ in 0..60 {
            limit.count(&alice, now).unwrap();
        }
        let refused = limit.count(&alice, now).unwrap_err();
        assert_eq!(refused.code, Code::TooManyRequests);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
        assert!(limit.count(&bob, now).is_ok());
        assert!(limit.count(&alice, now + TimeDelta::seconds(1)).is_ok());
        assert!(limit.count(&alice, now + TimeDelta::seconds(1)).is_err());
    }
}
