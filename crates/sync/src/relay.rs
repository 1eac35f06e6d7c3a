//! The relay publishes every committed message of the outbox, in each user's order.
//!
//! Properties
//! - **Order.** A user's messages are published one after the other, each awaited, under a lease on the user's row.
//!   Different users do not wait for each other.
//! - **At least once, seen once.** A message is deleted from the outbox only after Centrifugo has confirmed it. A
//!   repeated publication (a lost response, a crash before the deletion, two workers after a pause) has the same bytes,
//!   the outbox row's id as idempotency key and `seq` as version, so Centrifugo drops it. A broker that lost its memory
//!   may repeat it; the browser then drops it by `seq`.
//! - **Nothing is skipped.** After a failure the stream resumes at the failed message. A message that Centrifugo
//!   rejects for good becomes a dead letter; a `resync` with the same seq is published in its place.
//! - **A wrong configuration loses nothing**: the pass fails and logs until it is corrected.
//! - **A long outage stays small.** While Centrifugo is down, messages behind a user's first hundred are replaced by
//!   `resync`s of about a hundred bytes. Their number stays, because `seq` must not have gaps.

use std::time::{Duration, Instant};

use centrifugo::{Client, Publication, channel_of};
use chrono::{DateTime, Utc};
use common::backoff::Backoff;
use common::crash_point;
use common::ids::UserId;
use common::lease::Lease;
use common::telemetry::trace;
use common::worker::Pass;
use event_model::wire::{Change, MESSAGE_VERSION, Message};
use futures_util::future::join_all;
use sqlx::PgPool;
use store::outbox::{self, Accepted, Outgoing, Stream};
use tracing::Instrument;

use crate::metrics;

/// Users per pass; they are served concurrently.
const STREAMS: i64 = 32;
/// Messages read per stream and pass.
const DEPTH: i64 = 50;
/// Short: after a worker dies, its users receive nothing until the lease expires.
const LEASE: Duration = Duration::from_secs(20);
/// No message is begun later than this after the lease was taken: itself and the resync in its place, at 7 s each at
/// most, end in time.
const DRAIN: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How many waiting messages of a user are kept unshortened.
const WAITING_IN_FULL: i64 = 100;
/// A message up to this size, in bytes, is not worth replacing by a `resync`.
const SMALL: i32 = 256;

/// Why a pass failed. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("could not read or update the outbox: {0}")]
    Database(#[from] sqlx::Error),
    /// Every stream failed, so the cause is the broker. Wait before the next pass.
    #[error("could not publish; all messages are kept: {0}")]
    Broker(centrifugo::Error),
}

/// How one stream's publishing ended.
enum StreamResult {
    Published,
    /// Another worker took the stream over and publishes the rest.
    LeaseLost,
    Failed(centrifugo::Error),
}

/// Publishes up to [`DEPTH`] messages of up to [`STREAMS`] users. `Worked`: call again at once.
pub async fn run_once(pool: &PgPool, centrifugo: &Client, now: DateTime<Utc>) -> Result<Pass, RelayError> {
    let acquired = Instant::now();
    let streams = outbox::acquire(&mut *pool.acquire().await?, LEASE, STREAMS, DEPTH).await?;
    metrics::leases_lost("relay", streams.iter().map(|stream| stream.taken_over));
    crash_point!("relay.leased");
    #[cfg(feature = "simulation")]
    let streams = crate::mutants::after_last(streams);
    let streams = streams
        .into_iter()
        .map(|stream| drain(pool, centrifugo, now, acquired, stream));
    let outcomes = join_all(streams)
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    if outcomes.is_empty() {
        return Ok(Pass::Idle);
    }
    let some_published = outcomes
        .iter()
        .any(|outcome| matches!(outcome, StreamResult::Published));
    for outcome in outcomes {
        match outcome {
            StreamResult::Failed(error @ centrifugo::Error::Misconfigured { .. }) => {
                return Err(RelayError::Broker(error));
            }
            StreamResult::Failed(error) if !some_published => return Err(RelayError::Broker(error)),
            StreamResult::Failed(error) => {
                tracing::warn!(%error, "Could not publish a user's messages; will retry");
            }
            StreamResult::Published | StreamResult::LeaseLost => {}
        }
    }
    Ok(Pass::Worked)
}

/// Publishes a stream's messages in order up to the first failure, and releases the stream.
async fn drain(
    pool: &PgPool,
    centrifugo: &Client,
    now: DateTime<Utc>,
    acquired: Instant,
    mut stream: Stream,
) -> Result<StreamResult, RelayError> {
    let channel = channel_of(&stream.lease.key);
    let epoch = stream.epoch.to_string();
    let mut published_up_to = None;
    let mut accepted = Vec::new();
    let mut failure = None;
    for message in &mut stream.messages {
        if acquired.elapsed() > DRAIN {
            break;
        }
        let mut result = publish(centrifugo, &channel, &epoch, message).await;
        if let Err(centrifugo::Error::Poison { reason }) = &result {
            if !dead_letter(pool, now, &stream.lease, message, reason).await? {
                return Ok(StreamResult::LeaseLost);
            }
            result = publish(centrifugo, &channel, &epoch, message).await;
            if let Err(centrifugo::Error::Poison { reason }) = &result {
                // The channel itself is rejected. A browser that misses this seq reloads.
                tracing::error!(
                    outbox.seq = message.seq,
                    reason,
                    "Centrifugo rejected a resync; skipping it"
                );
                published_up_to = Some(message.seq);
                continue;
            }
        }
        if let Err(error) = result {
            failure = Some(error);
            break;
        }
        published_up_to = Some(message.seq);
        accepted.push(Accepted {
            seq: message.seq,
            // `now` is when the stream was acquired.
            at: now + acquired.elapsed(),
        });
    }
    release(pool, &stream, published_up_to, &accepted, failure).await
}

/// Replaces a message that Centrifugo rejects by a resync, and keeps it as a dead letter. False: the lease was lost.
async fn dead_letter(
    pool: &PgPool,
    now: DateTime<Utc>,
    lease: &Lease<UserId>,
    message: &mut Outgoing,
    reason: &str,
) -> sqlx::Result<bool> {
    let mut conn = pool.acquire().await?;
    let resync = resync_for(message.seq, &message.payload);
    let Some(id) = outbox::dead_letter(&mut conn, now, lease, message.seq, reason, &resync).await? else {
        return Ok(false);
    };
    metrics::resync_messages("refused", 1);
    tracing::error!(
        outbox.id = %message.id, outbox.seq = message.seq, reason,
        "Centrifugo rejected a message; stored it as a dead letter and publishing a resync instead"
    );
    message.id = id;
    message.payload = resync;
    Ok(true)
}

async fn release(
    pool: &PgPool,
    stream: &Stream,
    published_up_to: Option<i64>,
    accepted: &[Accepted],
    failure: Option<centrifugo::Error>,
) -> Result<StreamResult, RelayError> {
    let mut conn = pool.acquire().await?;
    let attempts = if published_up_to.is_some() {
        1
    } else {
        stream.lease.attempts
    };
    let retry_after = match &failure {
        Some(centrifugo::Error::Transient { .. }) => {
            shorten_tail(&mut conn, stream).await?;
            Some(BACKOFF.delay(attempts))
        }
        // The loop pauses instead: once the configuration is corrected, no stream has to wait.
        Some(_) | None => None,
    };
    let settled = outbox::settle(&mut conn, &stream.lease, published_up_to, accepted, retry_after).await?;
    crash_point!("relay.settled");
    let is_settled = settled.is_some();
    metrics::publish_latencies(&settled.unwrap_or_default());
    Ok(match failure {
        Some(error) => StreamResult::Failed(error),
        None if is_settled => StreamResult::Published,
        None => StreamResult::LeaseLost,
    })
}

async fn publish(
    centrifugo: &Client,
    channel: &str,
    epoch: &str,
    message: &Outgoing,
) -> Result<(), centrifugo::Error> {
    let started = Instant::now();
    let publication = Publication {
        channel,
        data: &message.payload,
        idempotency_key: &message.id.to_string(),
        version: message.seq.unsigned_abs(),
        version_epoch: epoch,
    };
    let span = tracing::trace_span!(target: trace::SPANS, "publish", outbox.seq = message.seq);
    trace::continue_from(&span, message.traceparent.as_deref());
    crash_point!("relay.before_publish");
    let answer = centrifugo.publish(publication).instrument(span).await.map(drop);
    crash_point!("relay.published");
    metrics::published(&answer, started.elapsed());
    if !common::mutant!("broker_error_ignored") {
        answer?;
    }
    let duration_ms = started.elapsed().as_secs_f64() * 1e3;
    let traceparent = message.traceparent.as_deref();
    tracing::debug!(outbox.id = %message.id, outbox.seq = message.seq, traceparent, duration_ms, "Message published");
    Ok(())
}

/// Replaces the waiting messages behind a stream's first ones by resyncs. Only messages that were never tried are
/// replaced, so a retry has the same bytes.
async fn shorten_tail(conn: &mut sqlx::PgConnection, stream: &Stream) -> sqlx::Result<()> {
    let tail = outbox::overlong_tail(conn, &stream.lease, WAITING_IN_FULL, SMALL).await?;
    if tail.is_empty() {
        return Ok(());
    }
    tracing::info!(messages = tail.len(), "Replaced a long backlog by resyncs");
    metrics::resync_messages("backlog", tail.len());
    let seqs: Vec<i64> = tail.iter().map(|(seq, _)| *seq).collect();
    let payloads: Vec<Vec<u8>> = tail
        .iter()
        .map(|(seq, payload)| resync_for(*seq, payload))
        .collect();
    outbox::shorten(conn, &stream.lease, &seqs, &payloads).await
}

/// A short message with the same seq that makes a browser reload the calendar that `payload` is about; if it names
/// none, the list of calendars.
fn resync_for(seq: i64, payload: &[u8]) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    struct About {
        #[serde(rename = "calendarId")]
        calendar_id: common::ids::CalendarId,
    }
    let change = match serde_json::from_slice::<About>(payload) {
        Ok(About { calendar_id }) => Change::Resync { calendar_id },
        Err(_) => Change::CalendarsChanged {},
    };
    let message = Message {
        v: MESSAGE_VERSION,
        seq,
        change,
    };
    #[expect(
        clippy::expect_used,
        reason = "a struct of numbers and an id always serializes"
    )]
    serde_json::to_vec(&message).expect("a message serializes")
}
