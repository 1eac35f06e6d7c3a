//! How often one user may call, and how much of the service one user may have at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::UserId;
use moka::sync::Cache;
use rpc::{Code, RpcError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Users that are remembered at once. Beyond it the least recent are forgotten, which costs nobody anything.
const USERS_MAX: u64 = 100_000;

/// Calls of one user that are answered at once, half as many as the usual pool has connections; the next ones wait for
/// them. So a burst, which the rate allows, or a batch is in the way of nobody else.
const AT_ONCE: usize = 8;
/// A call that waits longer for those before it is told to come back.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// A minute's worth in a burst, then evenly: the generic cell rate algorithm, one instant per user.
pub struct RateLimit {
    /// Between two requests in the long run.
    interval: TimeDelta,
    users: Cache<UserId, Arc<Budget>>,
}

struct Budget {
    /// When it would be whole again.
    whole_at: Mutex<DateTime<Utc>>,
    turns: Turns,
}

/// Where the calls of one user wait for each other.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

/// A call's place among those of its user that are being answered. It ends with the last clone.
#[derive(Clone, Debug)]
pub struct Turn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Turns {
    pub async fn next(&self) -> Result<Turn, RpcError> {
        let permit = tokio::time::timeout(TURN_WITHIN, Arc::clone(&self.0).acquire_owned());
        match permit.await {
            Ok(Ok(permit)) => Ok(Turn {
                _permit: Arc::new(permit),
            }),
            // Nobody closes it; what is left is that the time was over.
            Ok(Err(_)) | Err(_) => {
                Err(RpcError::of(Code::TooManyRequests).with_retry_after(Duration::from_secs(1)))
            }
        }
    }
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

    /// Counts one request of `user`, or says when to come back. Its calls then wait for their turns.
    pub fn count(&self, user: &UserId, now: DateTime<Utc>) -> Result<Turns, RpcError> {
        let budget = self.users.get_with_by_ref(user, || {
            Arc::new(Budget {
                whole_at: Mutex::new(now),
                turns: Turns(Arc::new(Semaphore::new(AT_ONCE))),
            })
        });
        budget.count(now, self.interval)?;
        Ok(budget.turns.clone())
    }
}

impl Budget {
    fn count(&self, now: DateTime<Utc>, interval: TimeDelta) -> Result<(), RpcError> {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*whole_at).max(now) + interval;
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
        let later = now + TimeDelta::seconds(1);
        assert!(limit.count(&alice, later).is_ok());
        assert!(limit.count(&alice, later).is_err());
    }

    #[tokio::test]
    async fn a_burst_is_answered_a_few_at_a_time() {
        let limit = RateLimit::per_minute(600);
        let (alice, bob) = (UserId::parse("alice").unwrap(), UserId::parse("bob").unwrap());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(limit.count(&alice, now).unwrap().next().await.unwrap());
        }
        let of_alice = limit.count(&alice, now).unwrap();
        let mut next = std::pin::pin!(of_alice.next());
        let waits = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(waits.is_err(), "the next one waits");
        let of_bob = limit.count(&bob, now).unwrap();
        assert!(of_bob.next().await.is_ok(), "and nobody else");
        let kept = turns[0].clone();
        turns.remove(0);
        let waits = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(waits.is_err(), "a clone goes on with the turn");
        drop(kept);
        assert!(next.await.is_ok());
    }
}
