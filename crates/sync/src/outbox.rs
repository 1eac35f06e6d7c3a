//! Appending messages to the outbox, in the transaction that makes the change.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use common::telemetry::trace::traceparent;
use sqlx::PgConnection;
use store::{outbox as rows, user_stream};
use tracing::Span;

use crate::metrics;
use event_model::wire::{Change, MESSAGE_MAX_LEN, MESSAGE_VERSION, Message, Series};

/// The most messages that one change is sent in: 64 KB, about a page's load of all its events.
const MESSAGES_MAX: usize = 4;

/// The most bytes that the messages about a change may have.
pub(crate) const CHANGE_MAX_LEN: usize = MESSAGES_MAX * MESSAGE_MAX_LEN;

/// Appends a change as a message with the user's next seq to the outbox, and returns the seq. The user's row is locked until
/// the caller commits, so call it late.
///
/// An `events.changed` that is too large for a message is divided by its series; the seq of the last message is returned. If
/// those are too many, or a series is too large, it becomes a `resync` of its calendar.
pub async fn append(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    change: Change,
) -> sqlx::Result<i64> {
    let (last, others) = divided(change)?;
    for part in others {
        append_one(conn, now, user, part).await?;
    }
    append_one(conn, now, user, last).await
}

async fn append_one(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    change: Change,
) -> sqlx::Result<i64> {
    let seq = user_stream::next_seq(conn, user).await?;
    let payload = to_json(&Message {
        v: MESSAGE_VERSION,
        seq,
        change,
    })?;
    let traceparent = traceparent(&Span::current());
    rows::enqueue(conn, now, user, seq, &payload, traceparent.as_deref()).await?;
    #[cfg(feature = "simulation")]
    crate::mutants::publish_early(user, seq, &payload).await;
    common::crash_point!("outbox.appended");
    Ok(seq)
}

/// The change in parts that each fit a message: the last one, and those before it.
fn divided(change: Change) -> sqlx::Result<(Change, Vec<Change>)> {
    let message = with_longest_seq(change);
    let bytes = to_json(&message)?.len();
    let Change::EventsChanged {
        calendar_id,
        as_of,
        window,
        upserted,
        deleted,
    } = message.change
    else {
        return Ok((message.change, Vec::new()));
    };
    let part = |upserted, deleted| Change::EventsChanged {
        calendar_id,
        as_of,
        window,
        upserted,
        deleted,
    };
    if bytes <= MESSAGE_MAX_LEN {
        return Ok((part(upserted, deleted), Vec::new()));
    }
    let room = MESSAGE_MAX_LEN - to_json(&with_longest_seq(part(Vec::new(), Vec::new())))?.len();
    let mut parts = vec![(Vec::new(), Vec::new())];
    let mut left = room;
    let mut fits = true;
    for item in upserted
        .into_iter()
        .map(Item::Upserted)
        .chain(deleted.into_iter().map(Item::Deleted))
    {
        // With a comma.
        let len = item.json_len()? + 1;
        fits &= len <= room;
        if len > left {
            parts.push((Vec::new(), Vec::new()));
            left = room;
        }
        left = left.saturating_sub(len);
        if let Some((upserted, deleted)) = parts.last_mut() {
            match item {
                Item::Upserted(series) => upserted.push(series),
                Item::Deleted(id) => deleted.push(id),
            }
        }
    }
    let fits = fits && parts.len() <= MESSAGES_MAX;
    let mut parts: Vec<Change> = parts
        .into_iter()
        .map(|(upserted, deleted)| part(upserted, deleted))
        .collect();
    match parts.pop() {
        Some(last) if fits => Ok((last, parts)),
        _ => {
            metrics::resync_messages("too_large", 1);
            Ok((Change::Resync { calendar_id }, Vec::new()))
        }
    }
}

enum Item {
    Upserted(Series),
    Deleted(String),
}

impl Item {
    fn json_len(&self) -> sqlx::Result<usize> {
        let json = match self {
            Self::Upserted(series) => serde_json::to_vec(series),
            Self::Deleted(id) => serde_json::to_vec(id),
        };
        json.map(|json| json.len())
            .map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

const fn with_longest_seq(change: Change) -> Message {
    Message {
        v: MESSAGE_VERSION,
        seq: i64::MAX,
        change,
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
    use event_model::normal_form::CompactView;
    use event_model::wire::{EventInstances, EventView, Window};

    fn series(id: usize, bytes: usize) -> Series {
        let view = EventView {
            title: "x".repeat(bytes),
            ..EventView::default()
        };
        Series {
            series_id: id.to_string(),
            events: vec![EventInstances {
                event_id: id.to_string(),
                recurring_event_id: None,
                instances: Vec::new(),
                view: CompactView(view.into()),
            }],
        }
    }

    /// All parts, with the ids of their series.
    fn parts(sizes: &[usize], deleted: usize) -> Vec<(Change, Vec<String>)> {
        let at = DateTime::UNIX_EPOCH;
        let change = Change::EventsChanged {
            calendar_id: CalendarId::generate(),
            as_of: at,
            window: Window { from: at, to: at },
            upserted: sizes
                .iter()
                .enumerate()
                .map(|(id, &bytes)| series(id, bytes))
                .collect(),
            deleted: (0..deleted).map(|id| format!("{id:026}")).collect(),
        };
        let (last, others) = divided(change).expect("JSON");
        let ids = |change: Change| {
            let ids = match &change {
                Change::EventsChanged {
                    upserted, deleted, ..
                } => {
                    let upserted = upserted.iter().map(|series| series.series_id.clone());
                    upserted.chain(deleted.iter().cloned()).collect()
                }
                _ => Vec::new(),
            };
            (change, ids)
        };
        others.into_iter().chain([last]).map(ids).collect()
    }

    #[test]
    fn too_large_change_is_divided_by_its_series() {
        assert_eq!(parts(&[7_000, 8_000], 10).len(), 1);
        let all = parts(&[9_000, 9_000, 5_000, 16_000], 300);
        assert_eq!(all.len(), 4);
        for (change, _) in &all {
            let len = to_json(&with_longest_seq(change.clone())).expect("JSON").len();
            assert!(len <= MESSAGE_MAX_LEN, "{len}");
        }
        let ids: Vec<&String> = all.iter().flat_map(|(_, ids)| ids).collect();
        assert_eq!(ids.len(), 304, "nothing is lost or repeated");
        assert!(parts(&[], 564).len() == 2 && parts(&[], 500).len() == 1);
    }

    #[test]
    fn change_becomes_resync_if_it_cannot_be_divided() {
        for (sizes, deleted) in [
            (&[17_000][..], 0),
            (&[10, 17_000, 10], 0),
            (&[9_000; 5], 0),
            (&[], 2_500),
        ] {
            let all = parts(sizes, deleted);
            assert!(
                matches!(all[..], [(Change::Resync { .. }, _)]),
                "{sizes:?} {deleted}"
            );
        }
    }
}
