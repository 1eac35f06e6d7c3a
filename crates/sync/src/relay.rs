//! From the outbox to the browsers: publishes every committed message, in each user's order.
//!
//! Properties
//! - **Order.** A user's messages go out one after the other, each awaited, under a lease on the user's row. Different
//!   users do not wait for each other.
//! - **At least once, told as once.** A message leaves the outbox only after Centrifugo has answered. Whatever is sent
//!   again (a lost answer, a crash before the deletion, two workers after a pause) is byte for byte the same, with the
//!   outbox row's id as idempotency key and `seq` as version, so Centrifugo drops it; a broker that came back empty may
//!   repeat it, and the browser drops what it has seen.
//! - **Nothing is skipped.** A failure keeps the head of the stream. A message that Centrifugo will never take becomes a
//!   dead letter, and a `resync` takes its place and its seq.
//! - **A wrong configuration loses nothing**: the pass fails, loudly, until a person has corrected it.
//! - **A long silence stays small.** While Centrifugo is away, what waits behind a user's first hundred messages is
//!   cut down to `resync`s. Their number stays, since `seq` must not have gaps, at some hundred bytes each.

use std::time::{Duration, Instant};

use centrifugo::{Client, Publication, channel_of};
use chrono::{DateTime, Utc};
use common::backoff::Backoff;
use common::crash_point;
use common::telemetry::trace;
use common::worker::Pass;
use event_model::wire::{Change, MESSAGE_VERSION, Message};
use futures_util::future::join_all;
use sqlx::PgPool;
use store::outbox::{self, Accepted, Outgoing, Stream};
use tracing::Instrument;

use crate::metrics;

/// The users served by one pass, side by side.
const STREAMS: i64 = 32;
/// The messages that are read of a stream at once.
const DEPTH: i64 = 50;
/// Short, for a user whose worker died hears nothing until it has run out.
const LEASE: Duration = Duration::from_secs(20);
/// No message is begun later than this after the lease was taken: itself and the resync in its place, at 7 s each at most, end in time.
const DRAIN: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How many messages of a user wait in full.
const WAITING_IN_FULL: i64 = 100;
/// A message up to this size is not worth replacing by a `resync`, in bytes.
const SMALL: i32 = 256;

/// Why a pass did not get through. Reads as one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the outbox cannot be read or settled: {0}")]
    Database(#[from] sqlx::Error),
    /// Every stream failed in the same way, so it is not the streams. Wait before the next pass.
    #[error("nothing is published, all messages are kept: {0}")]
    Broker(centrifugo::Error),
}

/// What became of one stream.
enum Outcome {
    Published,
    /// The lease went to another worker, which has the rest.
    Lost,
    Failed(centrifugo::Error),
}

/// Publishes what is waiting, as far as one pass goes. `Worked` asks for the next pass at once.
pub async fn run_once(pool: &PgPool, centrifugo: &Client, now: DateTime<Utc>) -> Result<Pass, Error> {
    let taken = Instant::now();
    let streams = outbox::acquire(&mut *pool.acquire().await?, LEASE, STREAMS, DEPTH).await?;
    metrics::leases_lost("relay", streams.iter().map(|stream| stream.taken_over));
    crash_point!("relay.leased");
    #[cfg(feature = "simulation")]
    let streams = crate::mutants::after_last(streams);
    let streams = streams
        .into_iter()
        .map(|stream| drain(pool, centrifugo, now, taken, stream));
    let outcomes = join_all(streams)
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    if outcomes.is_empty() {
        return Ok(Pass::Idle);
    }
    let some_went = outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Published));
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(error @ centrifugo::Error::Misconfigured { .. }) => {
                return Err(Error::Broker(error));
            }
            Outcome::Failed(error) if !some_went => return Err(Error::Broker(error)),
            Outcome::Failed(error) => {
                tracing::warn!(%error, "A user's messages wait and will be tried again");
            }
            Outcome::Published | Outcome::Lost => {}
        }
    }
    Ok(Pass::Worked)
}

/// Publishes a stream's messages in order up to the first failure, and gives the stream back.
async fn drain(
    pool: &PgPool,
    centrifugo: &Client,
    now: DateTime<Utc>,
    taken: Instant,
    mut stream: Stream,
) -> Result<Outcome, Error> {
    let channel = channel_of(&stream.lease.key);
    let epoch = stream.epoch.to_string();
    let mut published_up_to = None;
    let mut accepted = Vec::new();
    let mut failure = None;
    let accepted_at = |seq| Accepted {
        seq,
        // The pass began at `now`, when the lease was taken.
        at: now + taken.elapsed(),
    };
    for message in &mut stream.messages {
        if taken.elapsed() > DRAIN {
            break;
        }
        match publish(centrifugo, &channel, &epoch, message).await {
            Ok(()) => {
                published_up_to = Some(message.seq);
                accepted.push(accepted_at(message.seq));
            }
            Err(centrifugo::Error::Poison { reason }) => {
                let mut conn = pool.acquire().await?;
                let replacement = resync_for(message.seq, &message.payload);
                let replaced =
                    outbox::dead_letter(&mut conn, now, &stream.lease, message.seq, &reason, &replacement)
                        .await?;
                let Some(id) = replaced else {
                    return Ok(Outcome::Lost);
                };
                tracing::error!(outbox.id = %message.id, outbox.seq = message.seq, reason, "A message was set aside as a dead letter; a resync goes out in its place");
                drop(conn);
                message.id = id;
                message.payload = replacement;
                match publish(centrifugo, &channel, &epoch, message).await {
                    Ok(()) => {
                        published_up_to = Some(message.seq);
                        accepted.push(accepted_at(message.seq));
                    }
                    // Not even the resync: the channel itself is refused, and a seq that never comes makes the
                    // browser reload, if there is one.
                    Err(centrifugo::Error::Poison { reason }) => {
                        tracing::error!(
                            outbox.seq = message.seq,
                            reason,
                            "A resync was refused and is left out"
                        );
                        published_up_to = Some(message.seq);
                    }
                    Err(error) => failure = Some(error),
                }
            }
            Err(error) => failure = Some(error),
        }
        if failure.is_some() {
            break;
        }
    }
    give_back(pool, &stream, published_up_to, &accepted, failure).await
}

async fn give_back(
    pool: &PgPool,
    stream: &Stream,
    published_up_to: Option<i64>,
    accepted: &[Accepted],
    failure: Option<centrifugo::Error>,
) -> Result<Outcome, Error> {
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
        // The pause is the loop's: once the configuration is right, no stream has to wait.
        Some(_) | None => None,
    };
    let settled = outbox::settle(&mut conn, &stream.lease, published_up_to, accepted, retry_after).await?;
    crash_point!("relay.settled");
    let is_settled = settled.is_some();
    metrics::publish_latencies(&settled.unwrap_or_default());
    Ok(match failure {
        Some(error) => Outcome::Failed(error),
        None if is_settled => Outcome::Published,
        None => Outcome::Lost,
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

/// Cuts down what waits behind a stream's first messages. Only what has never been tried is touched, so a retry stays the
/// same bytes.
async fn shorten_tail(conn: &mut sqlx::PgConnection, stream: &Stream) -> sqlx::Result<()> {
    let tail = outbox::overlong_tail(conn, &stream.lease, WAITING_IN_FULL, SMALL).await?;
    if tail.is_empty() {
        return Ok(());
    }
    tracing::info!(messages = tail.len(), "A long backlog was cut down to resyncs");
    let seqs: Vec<i64> = tail.iter().map(|(seq, _)| *seq).collect();
    let payloads: Vec<Vec<u8>> = tail
        .iter()
        .map(|(seq, payload)| resync_for(*seq, payload))
        .collect();
    outbox::shorten(conn, &stream.lease, &seqs, &payloads).await
}

/// A short message with the same seq that makes a browser reload what `payload` would have told it: the calendar, or
/// where none can be read in it, the list of calendars.
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
