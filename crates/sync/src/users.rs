//! Exporting and deleting all data of a user.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use store::users::{self, Bounds, JsonRow, Page};
use tokio::time::Instant;
use ts_rs::TS;
use uuid::Uuid;

use crate::Context;
use crate::connections::{self, Receipt};

/// A page of an export ends after about this many bytes; a larger event makes it longer.
const PAGE_BYTES: i64 = 1024 * 1024;
/// Rows read per query.
const ROWS: i64 = 500;
/// How long a deletion waits for the data of the user's accounts before it reports that it is not finished. With the
/// revocation that follows, less than the API's timeout for mutations.
const DELETE_WITHIN: Duration = Duration::from_secs(15);
/// How long a deletion waits for the user's other pages to receive the last messages before it deletes them.
const PUBLISH_WITHIN: Duration = Duration::from_secs(3);
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// A page of all data of a user. The pages together, list by list, are complete; each shows the state when it was read.
/// A row has the columns of its table, except tokens, their digests and leases. Derived data (the instances of events)
/// is left out.
#[derive(Debug, Default, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "DataExport")]
pub struct Export {
    pub user_id: String,
    #[ts(type = "string")]
    pub exported_at: DateTime<Utc>,
    /// The Google accounts, without their tokens. This list and those up to `connectFlows` are on the first page.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub connections: Vec<JsonRow>,
    #[ts(type = "Array<Record<string, unknown>>")]
    pub calendars: Vec<JsonRow>,
    /// The sync state of each calendar and of each account's calendar list.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub sync_state: Vec<JsonRow>,
    /// Push channels at Google.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub watches: Vec<JsonRow>,
    /// The number of messages sent to the user's browsers.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub user_stream: Vec<JsonRow>,
    /// Unfinished attempts to connect an account.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub connect_flows: Vec<JsonRow>,
    /// Each with its `event` as Google returned it.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub events: Vec<JsonRow>,
    /// Versions of events that were replaced in the last day.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub event_versions: Vec<JsonRow>,
    /// The user's writes of the last day.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub write_intents: Vec<JsonRow>,
    /// The last pulls of each calendar.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub sync_rounds: Vec<JsonRow>,
    /// Messages that have not reached the broker.
    #[ts(type = "Array<Record<string, unknown>>")]
    pub messages: Vec<JsonRow>,
    /// The cursor of the next page; `null` on the last page.
    pub next_cursor: Option<String>,
}

/// Where an export continues: in which list, and after which row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Cursor {
    Events(Option<(CalendarId, String)>),
    EventVersions(Option<(CalendarId, String, String)>),
    WriteIntents(Option<Uuid>),
    SyncRounds(Option<(CalendarId, i64)>),
    Messages(Option<(i64, Uuid)>),
}

impl Cursor {
    /// None: it is not the `next_cursor` of a page. Its ids are texts that Postgres can store.
    pub fn decode(text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let is_storable = match &cursor {
            Self::Events(Some((_, event))) => !event.contains('\0'),
            Self::EventVersions(Some((_, event, etag))) => !event.contains('\0') && !etag.contains('\0'),
            _ => true,
        };
        is_storable.then_some(cursor)
    }

    fn encode(&self) -> serde_json::Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }

    fn of_next_list(&self) -> Option<Self> {
        match self {
            Self::Events(_) => Some(Self::EventVersions(None)),
            Self::EventVersions(_) => Some(Self::WriteIntents(None)),
            Self::WriteIntents(_) => Some(Self::SyncRounds(None)),
            Self::SyncRounds(_) => Some(Self::Messages(None)),
            Self::Messages(_) => None,
        }
    }
}

/// A page of all data of a user; the first one without a cursor.
pub async fn export(ctx: &Context, user: &UserId, cursor: Option<Cursor>) -> sqlx::Result<Export> {
    let mut tx = store::begin_snapshot(&ctx.pool).await?;
    let mut export = Export {
        user_id: user.as_str().to_owned(),
        exported_at: ctx.clock.now(),
        ..Export::default()
    };
    if cursor.is_none() {
        let tables = users::small_tables(&mut tx, user).await?;
        export.connections = tables.connections;
        export.calendars = tables.calendars;
        export.sync_state = tables.sync_state;
        export.watches = tables.watches;
        export.user_stream = tables.user_stream;
        export.connect_flows = tables.oauth_states;
    }
    let mut bytes = PAGE_BYTES;
    let mut next = Some(cursor.unwrap_or(Cursor::Events(None)));
    while let (Some(cursor), true) = (&next, bytes > 0) {
        let bounds = Bounds { rows: ROWS, bytes };
        next = match read_some(&mut tx, user, cursor, bounds, &mut export).await? {
            Some((after, read)) => {
                bytes -= read;
                Some(after)
            }
            None => cursor.of_next_list(),
        };
    }
    let encoded = next.map(|cursor| cursor.encode()).transpose();
    export.next_cursor = encoded.map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(export)
}

/// Reads some rows of one list. Returns where it continues and how many bytes were read; None: the list has no more
/// rows.
async fn read_some(
    conn: &mut PgConnection,
    user: &UserId,
    cursor: &Cursor,
    bounds: Bounds,
    export: &mut Export,
) -> sqlx::Result<Option<(Cursor, i64)>> {
    fn kept<K>(
        page: Page<K>,
        list: &mut Vec<JsonRow>,
        cursor: fn(Option<K>) -> Cursor,
    ) -> Option<(Cursor, i64)> {
        let (rows, last) = page?;
        let bytes: usize = rows.iter().map(|row| row.get().len()).sum();
        list.extend(rows);
        Some((cursor(Some(last)), i64::try_from(bytes).unwrap_or(i64::MAX)))
    }
    Ok(match cursor {
        Cursor::Events(after) => kept(
            users::events(conn, user, after.as_ref(), bounds).await?,
            &mut export.events,
            Cursor::Events,
        ),
        Cursor::EventVersions(after) => kept(
            users::event_versions(conn, user, after.as_ref(), bounds).await?,
            &mut export.event_versions,
            Cursor::EventVersions,
        ),
        Cursor::WriteIntents(after) => kept(
            users::write_intents(conn, user, *after, bounds).await?,
            &mut export.write_intents,
            Cursor::WriteIntents,
        ),
        Cursor::SyncRounds(after) => kept(
            users::sync_rounds(conn, user, *after, bounds).await?,
            &mut export.sync_rounds,
            Cursor::SyncRounds,
        ),
        Cursor::Messages(after) => kept(
            users::messages(conn, user, *after, bounds).await?,
            &mut export.messages,
            Cursor::Messages,
        ),
    })
}

/// The progress of deleting a user's data when the response is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "DeletionReceipt")]
pub struct Deletion {
    /// One for each account that was disconnected.
    pub receipts: Vec<Receipt>,
    /// All data of the user is deleted, except `grantsLeft`.
    pub deleted: bool,
    /// Google accounts whose identity and sealed token are kept until Google has confirmed the revocation, for a day at
    /// most.
    pub grants_left: u32,
    /// The broker has deleted its history of the user's messages. If not, it expires within an hour.
    pub live_history_deleted: bool,
}

/// Disconnects all accounts of a user and deletes all data of the user.
pub async fn delete(ctx: &Context, broker: &centrifugo::Client, user: &UserId) -> sqlx::Result<Deletion> {
    let receipts = connections::disconnect(ctx, user, None, DELETE_WITHIN).await?;
    wait_until_published(ctx, user).await?;
    let mut tx = ctx.pool.begin().await?;
    let left = users::delete(&mut tx, user).await?;
    tx.commit().await?;
    let forgotten = broker.forget_history(&centrifugo::channel_of(user)).await;
    if let Err(error) = &forgotten {
        tracing::warn!(%error, "Could not delete the broker's history of a deleted user; it expires within an hour");
    }
    Ok(Deletion {
        receipts,
        deleted: left.calendars == 0,
        grants_left: u32::try_from(left.connections).unwrap_or(u32::MAX),
        live_history_deleted: forgotten.is_ok(),
    })
}

async fn wait_until_published(ctx: &Context, user: &UserId) -> sqlx::Result<()> {
    let until = Instant::now() + PUBLISH_WITHIN;
    while Instant::now() < until {
        let mut conn = ctx.pool.acquire().await?;
        if users::is_published(&mut conn, user).await? {
            break;
        }
        drop(conn);
        tokio::time::sleep(CHECK_EVERY).await;
    }
    Ok(())
}
