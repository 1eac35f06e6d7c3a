//! The call budget: fewer calls than Google's quota allows, and none while Google reports that a limit is reached.
//!
//! Google allows a project 10,000 units per minute and each of its users 600. A call costs one unit, a PATCH three. The
//! budget is four fifths of both, which leaves room for other callers of the same project.

use std::time::Duration;

use google::Limit;
use store::quota::{self, Budget, Take};

use crate::call_error::CallError;
use crate::tokens::Purpose;
use crate::{Context, metrics};

/// The budget of all users together.
pub const PROJECT_PER_MINUTE: i32 = 8_000;
const PROJECT: Budget<'static> = Budget {
    bucket: "project",
    per_minute: PROJECT_PER_MINUTE,
};
const USER_PER_MINUTE: i32 = 480;

/// The wait when our own budget is used up. With the caller's jitter of ± 25 %, the next window has begun by then.
const SPENT_WAIT: Duration = Duration::from_secs(20);
/// Spreads the callers that wait for the end of the same pause.
const PAUSE_SPREAD: Duration = Duration::from_millis(500);
/// The pause for each kind of limit, if Google does not send `Retry-After`.
const USER_WAIT: Duration = Duration::from_secs(30);
const PROJECT_WAIT: Duration = Duration::from_secs(15);
/// `quotaExceeded` lasts for hours; Google does not document how many.
const USAGE_WAIT: Duration = Duration::from_hours(1);
/// Google does not always name the limit that a call met. The project pauses when [`ACCOUNTS`] accounts have met such a
/// limit within this time; one account alone slows only itself.
const TOGETHER: Duration = Duration::from_secs(10);
const ACCOUNTS: i64 = 3;
/// A longer `Retry-After` is shortened to this.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Units per minute of the project and of one account.
pub(crate) fn budgets() -> (f64, f64) {
    (PROJECT.per_minute.into(), USER_PER_MINUTE.into())
}

/// The cost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units(i32);

impl Units {
    pub const CALL: Self = Self(1);
    pub const PATCH: Self = Self(3);
}

/// Takes the units of a call from the budgets of this Google account and of the project.
pub async fn take(
    ctx: &Context,
    google_sub: &str,
    purpose: Purpose,
    Units(units): Units,
) -> Result<(), CallError> {
    let bucket = bucket(google_sub);
    let own = own_bucket(purpose, google_sub);
    let mut conn = ctx.pool.acquire().await?;
    let now = ctx.clock.now();
    let retry_after = match quota::take(&mut conn, now, user(&bucket), PROJECT, own.as_deref(), units).await?
    {
        Take::Taken => return Ok(()),
        Take::Spent => {
            metrics::over_budget("spent");
            common::backoff::jittered(SPENT_WAIT)
        }
        Take::Paused(wait) => {
            metrics::over_budget("paused");
            wait + common::backoff::jittered(PAUSE_SPREAD)
        }
    };
    Err(CallError::OverBudget { retry_after })
}

/// Pauses the calls that a limit applies to. A limit that a write or a call about a channel met, other than one on all the
/// account's calls, pauses calls like it: Google limits edits of a user and of a calendar apart from reads, and an account
/// without new channels can still be polled.
pub(crate) async fn note_limit(
    ctx: &Context,
    google_sub: &str,
    purpose: Purpose,
    limit: Limit,
    retry_after: Option<Duration>,
) -> Result<(), CallError> {
    let of_calls = own_bucket(purpose, google_sub).unwrap_or_else(|| bucket(google_sub));
    let limit = match limit {
        Limit::Unnamed if common::mutant!("limit_stops_all_accounts") => Limit::Project,
        limit => limit,
    };
    let (bucket, wait) = match limit {
        Limit::Project => (PROJECT.bucket.to_owned(), PROJECT_WAIT),
        Limit::User => (bucket(google_sub), USER_WAIT),
        Limit::Unnamed => (of_calls, USER_WAIT),
        Limit::Usage => (of_calls, USAGE_WAIT),
    };
    let wait = retry_after.unwrap_or(wait).min(WAIT_MAX);
    tracing::warn!(?limit, wait_s = wait.as_secs(), "Rate limited by Google");
    let mut conn = ctx.pool.acquire().await?;
    let is_about_channels = matches!(purpose, Purpose::Watch | Purpose::Cleanup);
    if limit != Limit::Unnamed || is_about_channels {
        return Ok(quota::pause(&mut conn, &bucket, wait).await?);
    }
    let accounts = quota::pause_unnamed(&mut conn, &bucket, wait, TOGETHER).await?;
    if accounts >= ACCOUNTS {
        tracing::warn!(
            accounts,
            "Several accounts are rate limited by Google; pausing all calls"
        );
        quota::pause(&mut conn, PROJECT.bucket, PROJECT_WAIT).await?;
    }
    Ok(())
}

/// The bucket for pauses of an account's writes only, or of its calls about channels only.
fn own_bucket(purpose: Purpose, google_sub: &str) -> Option<String> {
    let kind = match purpose {
        Purpose::Sync => return None,
        Purpose::Write => "writes",
        Purpose::Watch | Purpose::Cleanup => "channels",
    };
    Some(format!("{kind}:{google_sub}"))
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
