//! Our share of Google's quota: fewer calls than Google allows, and none while it says that a limit is reached.
//!
//! Google allows a project 10,000 units a minute and each of its users 600; a call is one, and a PATCH three. Four fifths of both are used, so that what
//! else calls in the project's name does not hit the limit first.

use std::time::Duration;

use google::Limit;
use store::quota::{self, Budget, Take};

use crate::tokens::CallError;
use crate::{Context, metrics};

/// The most calls of all users in a minute.
pub const PROJECT_PER_MINUTE: i32 = 8_000;
const PROJECT: Budget<'static> = Budget {
    bucket: "project",
    per_minute: PROJECT_PER_MINUTE,
};
const USER_PER_MINUTE: i32 = 480;

/// How long to wait when our own budget is spent; with ± 25 % from the caller's jitter, the next window has begun.
const SPENT_WAIT: Duration = Duration::from_secs(20);
/// How far apart those come who waited for the end of the same pause.
const PAUSE_SPREAD: Duration = Duration::from_millis(500);
/// How long a limit of each kind is believed when Google does not say.
const USER_WAIT: Duration = Duration::from_secs(30);
const PROJECT_WAIT: Duration = Duration::from_secs(15);
/// `quotaExceeded` is about abuse and lasts hours; nobody knows how many.
const USAGE_WAIT: Duration = Duration::from_hours(1);
/// A longer word of Google's is believed up to here at a time.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Calls a minute of the project and of one account.
pub(crate) fn budgets() -> (f64, f64) {
    (PROJECT.per_minute.into(), USER_PER_MINUTE.into())
}

/// What a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units(i32);

impl Units {
    pub const CALL: Self = Self(1);
    pub const PATCH: Self = Self(3);
}

/// Takes a call for this Google account.
pub async fn take(ctx: &Context, google_sub: &str, Units(units): Units) -> Result<(), CallError> {
    let bucket = bucket(google_sub);
    let mut conn = ctx.pool.acquire().await?;
    let now = ctx.clock.now();
    let retry_after = match quota::take(&mut conn, now, user(&bucket), PROJECT, units).await? {
        Take::Taken => return Ok(()),
        Take::Spent => {
            metrics::over_budget("spent");
            common::backoff::jittered(SPENT_WAIT)
        }
        // A little spread, so that all who wait for the same moment do not come at it together.
        Take::Paused(wait) => {
            metrics::over_budget("paused");
            wait + common::backoff::jittered(PAUSE_SPREAD)
        }
    };
    Err(CallError::OverBudget { retry_after })
}

/// Remembers that Google wants fewer calls, for everybody whom the limit is about.
pub(crate) async fn note_limit(
    ctx: &Context,
    google_sub: &str,
    limit: Limit,
    retry_after: Option<Duration>,
) -> Result<(), CallError> {
    let bucket = bucket(google_sub);
    let (bucket, wait) = match limit {
        Limit::Project => (PROJECT.bucket, PROJECT_WAIT),
        Limit::User => (bucket.as_str(), USER_WAIT),
        Limit::Usage => (bucket.as_str(), USAGE_WAIT),
    };
    let wait = retry_after.unwrap_or(wait).min(WAIT_MAX);
    tracing::warn!(?limit, wait_s = wait.as_secs(), "Google asks to slow down");
    let mut conn = ctx.pool.acquire().await?;
    Ok(quota::pause(&mut conn, bucket, wait).await?)
}

fn bucket(google_sub: &str) -> String {
    format!("user:{google_sub}")
}

fn user(bucket: &str) -> Budget<'_> {
    Budget {
        bucket,
        per_minute: USER_PER_MINUTE,
    }
}
