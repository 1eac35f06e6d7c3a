//! The rate limit of each user, the limit of concurrent calls, and the budget of connect callbacks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use chrono::{DateTime, TimeDelta, Utc};
use common::http::source::{Budgets, TrustedProxies};
use common::ids::UserId;
use moka::sync::Cache;
use rpc::{Code, RpcError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tracked users. Beyond it the least recent are dropped, which gives them a new budget.
const USERS_MAX: u64 = 100_000;

/// Calls of one user that run at once: half of the default pool's connections, so that a burst or a batch of one user does not
/// hold up others. Further calls wait.
const AT_ONCE: usize = 8;
/// A call that waits longer than this for its turn is answered 429.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// A minute's calls in a burst, then evenly: the generic cell rate algorithm, one instant per user.
pub struct RateLimit {
    /// The average time between two calls.
    interval: TimeDelta,
    users: Cache<UserId, Arc<Budget>>,
}

#[derive(Debug)]
struct Budget {
    /// When the budget will be full again.
    full_at: Mutex<DateTime<Utc>>,
    /// A permit for each call that may run at once.
    running: Arc<Semaphore>,
}

/// The calls of one request, of a user whose calls are limited.
#[derive(Clone, Debug)]
pub struct Turns {
    user: Arc<Budget>,
    interval: TimeDelta,
    /// The request was counted as its first call, which is still to come.
    is_first_counted: Arc<AtomicBool>,
}

/// A running call's permit. Released with the last clone.
#[derive(Clone, Debug)]
pub struct Turn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Turns {
    /// Counts a call, unless the request was counted as this one, and waits for its turn.
    pub async fn next(&self, now: DateTime<Utc>) -> Result<Turn, RpcError> {
        if !self.is_first_counted.swap(false, Ordering::Relaxed) {
            self.user.count(now, self.interval)?;
        }
        self.again().await
    }

    /// Waits for another turn of a call that has been counted.
    pub async fn again(&self) -> Result<Turn, RpcError> {
        let running = Arc::clone(&self.user.running);
        let permit = tokio::time::timeout(TURN_WITHIN, running.acquire_owned());
        match permit.await {
            Ok(Ok(permit)) => Ok(Turn {
                _permit: Arc::new(permit),
            }),
            // The semaphore is never closed, so this is the timeout.
            Ok(Err(_)) | Err(_) => {
                Err(RpcError::of(Code::TooManyRequests).with_retry_after(Duration::from_secs(1)))
            }
        }
    }
}

/// The time that an empty budget takes to be full.
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

    /// Counts a request of `user` as one call. `Err`: over the limit, with the time to wait. Further calls of the request are
    /// counted as they wait for their turns.
    pub fn count(&self, user: &UserId, now: DateTime<Utc>) -> Result<Turns, RpcError> {
        let budget = self.users.get_with_by_ref(user, || {
            Arc::new(Budget {
                full_at: Mutex::new(now),
                running: Arc::new(Semaphore::new(AT_ONCE)),
            })
        });
        budget.count(now, self.interval)?;
        Ok(Turns {
            user: budget,
            interval: self.interval,
            is_first_counted: Arc::new(AtomicBool::new(true)),
        })
    }
}

impl Budget {
    fn count(&self, now: DateTime<Utc>, interval: TimeDelta) -> Result<(), RpcError> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*full_at).max(now) + interval;
        let over = after - now - BURST;
        if over > TimeDelta::zero() {
            let wait = over.to_std().unwrap_or_default();
            return Err(RpcError::of(Code::TooManyRequests).with_retry_after(wait));
        }
        *full_at = after;
        Ok(())
    }
}

/// Connect callbacks of one source that reach the database, per second. A flow takes a person a minute, so this is room for
/// thousands behind one address.
const CALLBACKS_PER_SECOND: u32 = 20;
/// The callbacks that a source may have saved up: those of five seconds.
const CALLBACK_BURST: Duration = Duration::from_secs(5);

/// Limits the connect callbacks of each source, which no token authenticates.
pub struct CallbackBudget {
    proxies: TrustedProxies,
    budgets: Budgets,
}

impl CallbackBudget {
    pub fn new(proxies: TrustedProxies) -> Self {
        Self {
            proxies,
            budgets: Budgets::new(CALLBACKS_PER_SECOND, CALLBACK_BURST),
        }
    }

    /// Takes one callback from the budget of the request's source. False: it is exhausted.
    pub fn admit(&self, request: &HttpRequest) -> bool {
        let source = self.proxies.source(request);
        source.is_none_or(|source| self.budgets.take(source, 1, CALLBACK_BURST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_over_the_limit_waits_and_others_do_not() {
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
    async fn each_call_of_a_request_is_counted() {
        let limit = RateLimit::per_minute(5);
        let alice = UserId::parse("alice").unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let batch = limit.count(&alice, now).unwrap();
        for _ in 0..5 {
            batch.next(now).await.unwrap();
        }
        let refused = batch.next(now).await.unwrap_err();
        assert_eq!(refused.code, Code::TooManyRequests);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(12)));
        assert!(limit.count(&alice, now).is_err());
    }

    #[tokio::test]
    async fn a_burst_runs_a_few_calls_at_a_time() {
        let limit = RateLimit::per_minute(600);
        let (alice, bob) = (UserId::parse("alice").unwrap(), UserId::parse("bob").unwrap());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(limit.count(&alice, now).unwrap().next(now).await.unwrap());
        }
        let of_alice = limit.count(&alice, now).unwrap();
        let mut next = std::pin::pin!(of_alice.next(now));
        let waits = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(waits.is_err(), "the next call ran at once");
        let of_bob = limit.count(&bob, now).unwrap();
        assert!(of_bob.next(now).await.is_ok(), "another user had to wait");
        let kept = turns[0].clone();
        turns.remove(0);
        let waits = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(waits.is_err(), "a clone did not keep the turn");
        drop(kept);
        assert!(next.await.is_ok());
    }
}
