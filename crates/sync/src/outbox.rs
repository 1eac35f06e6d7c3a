//! Appending messages to the outbox, in the transaction that makes the change.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use common::telemetry::trace::traceparent;
use sqlx::PgConnection;
use store::{outbox as rows, user_stream};
use tracing::Span;

use crate::metrics;
use event_model::wire::{Change, MESSAGE_MAX_LEN, MESSAGE_VERSION, Message};

/// Appends a message with the user's next seq to the outbox, and returns the seq. The user's row is locked until the
/// caller commits, so call it late.
///
/// An `events.changed` that is too large becomes a `resync` of its calendar.
pub async fn append(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    change: Change,
) -> sqlx::Result<i64> {
    let seq = user_stream::next_seq(conn, user).await?;
    let payload = encode(seq, change)?;
    let traceparent = traceparent(&Span::current());
    rows::enqueue(conn, now, user, seq, &payload, traceparent.as_deref()).await?;
    #[cfg(feature = "simulation")]
    crate::mutants::publish_early(user, seq, &payload).await;
    common::crash_point!("outbox.appended");
    Ok(seq)
}

fn encode(seq: i64, change: Change) -> sqlx::Result<Vec<u8>> {
    let message = |change| Message {
        v: MESSAGE_VERSION,
        seq,
        change,
    };
    let resync = match &change {
        Change::EventsChanged { calendar_id, .. } => Some(Change::Resync {
            calendar_id: *calendar_id,
        }),
        _ => None,
    };
    let bytes = to_json(&message(change))?;
    match resync {
        Some(resync) if bytes.len() > MESSAGE_MAX_LEN => {
            metrics::resync_messages("too_large", 1);
            to_json(&message(resync))
        }
        _ => Ok(bytes),
    }
}

fn to_json(message: &Message) -> sqlx::Result<Vec<u8>> {
    // Cannot fail for these types; if it ever did, the transaction must not commit without its message.
    serde_json::to_vec(message).map_err(|error| sqlx::Error::Encode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::CalendarId;
    use event_model::wire::Window;

    #[test]
    fn too_large_change_becomes_resync_with_same_seq() {
        let calendar_id = CalendarId::generate();
        let at = DateTime::UNIX_EPOCH;
        let change = |series: usize| Change::EventsChanged {
            calendar_id,
            as_of: at,
            window: Window { from: at, to: at },
            upserted: vec![],
            deleted: vec!["x".repeat(26); series],
        };
        let small: Message = serde_json::from_slice(&encode(7, change(3)).expect("JSON")).expect("a message");
        assert_eq!((small.seq, small.change), (7, change(3)));
        let large: Message =
            serde_json::from_slice(&encode(8, change(1_000)).expect("JSON")).expect("a message");
        assert_eq!((large.seq, large.change), (8, Change::Resync { calendar_id }));
    }
}
