//! Calls to Google: within the call budget, with a valid access token.

use std::time::Instant;

use common::ids::ConnectionId;
use common::telemetry::trace::SPANS;
use google::Error;
use secrecy::SecretString;
use tracing::Instrument;

pub use crate::call_error::CallError;
use crate::quota::Units;
pub use crate::tokens::Purpose;
use crate::tokens::access_token;
use crate::{Context, metrics, quota};

/// Calls Google for a connection: within the call budget, with a valid access token, and with one forced refresh and
/// retry if Google rejects the token. A rate limit pauses all calls that it applies to.
pub async fn call<T, F>(
    ctx: &Context,
    connection: ConnectionId,
    purpose: Purpose,
    call: impl Fn(SecretString) -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, Error>>,
{
    call_for(ctx, connection, purpose, Units::CALL, call).await
}

/// As [`call()`], for a call that costs another number of units.
pub async fn call_for<T, F>(
    ctx: &Context,
    connection: ConnectionId,
    purpose: Purpose,
    units: Units,
    call: impl Fn(SecretString) -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut access, google_sub) = access_token(ctx, connection, purpose, None).await?;
    let mut forced = false;
    loop {
        quota::take(ctx, &google_sub, purpose, units).await?;
        match measured(call(access.clone())).await {
            Err(Error::Unauthorized) if !forced => {
                forced = true;
                access = access_token(ctx, connection, purpose, Some(&access)).await?.0;
            }
            Err(Error::RateLimited { limit, retry_after }) => {
                quota::note_limit(ctx, &google_sub, purpose, limit, retry_after).await?;
                return Err(Error::RateLimited { limit, retry_after }.into());
            }
            answer => return Ok(answer?),
        }
    }
}

async fn measured<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let started = Instant::now();
    let answer = call
        .instrument(tracing::trace_span!(target: SPANS, "google"))
        .await;
    metrics::called(&answer, started.elapsed());
    answer
}
