//! The list of calendars, and their selection.

use std::collections::HashMap;

use common::ids::{CalendarId, ConnectionId};
use event_model::wire::Freshness;
use rpc::RpcError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use ts_rs::TS;

use super::events::{freshness, has_calendar_access};
use super::input::{CalendarIds, Nothing};
use crate::ownership::own_calendars;
use crate::state::Caller;

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CalendarList {
    connected: bool,
    has_calendar_access: bool,
    /// Primary calendars first, then by name.
    calendars: Vec<CalendarInfo>,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts in a wire type")]
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CalendarInfo {
    #[ts(type = "string")]
    id: CalendarId,
    #[ts(type = "string")]
    connection_id: ConnectionId,
    google_id: String,
    summary: String,
    description: Option<String>,
    time_zone: String,
    color_id: Option<String>,
    background_color: Option<String>,
    foreground_color: Option<String>,
    /// `freeBusyReader`, `reader`, `writerWithoutPrivateAccess`, `writer` or `owner`.
    access_role: String,
    primary: bool,
    /// Synced and shown.
    selected: bool,
    /// The account has lost access in Google. It is hidden until the access is back.
    access_lost: bool,
    /// Google can push changes of this calendar.
    push_supported: bool,
    freshness: Option<Freshness>,
}

/// `calendar.google.listCalendars`
pub async fn list_calendars(caller: Caller, _: Nothing) -> Result<CalendarList, RpcError> {
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    list(&mut tx, &caller).await
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct SelectCalendarsInput {
    #[ts(type = "Array<string>")]
    calendar_ids: CalendarIds,
    /// Whether to sync and show these; the other calendars are unchanged.
    #[serde(default = "yes")]
    #[ts(as = "Option<bool>")]
    selected: bool,
}

const fn yes() -> bool {
    true
}

/// `calendar.google.selectCalendars`
pub async fn select_calendars(caller: Caller, input: SelectCalendarsInput) -> Result<CalendarList, RpcError> {
    let ids = input.calendar_ids.as_slice();
    let mut tx = caller.state.sync.pool.begin().await?;
    own_calendars(&mut tx, &caller, Some(ids)).await?;
    let now = caller.state.now();
    sync::calendar_list::select(&mut tx, now, &caller.user, ids, input.selected).await?;
    let calendars = list(&mut tx, &caller).await?;
    tx.commit().await?;
    Ok(calendars)
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct SyncNowInput {
    /// Default: all, and the list of calendars.
    #[ts(as = "Option<Vec<String>>")]
    calendar_ids: Option<CalendarIds>,
}

#[derive(Debug, Serialize, TS)]
pub struct SyncNow {
    success: bool,
    /// How many pulls were requested; those already due are not counted.
    #[ts(type = "number")]
    queued: u64,
}

/// `calendar.google.syncNow`: requests a pull. Changes arrive over the channel, not in this response.
pub async fn sync_now(caller: Caller, input: SyncNowInput) -> Result<SyncNow, RpcError> {
    let named = input.calendar_ids.as_ref().map(CalendarIds::as_slice);
    let mut tx = caller.state.sync.pool.begin().await?;
    own_calendars(&mut tx, &caller, named).await?;
    let now = caller.state.now();
    let queued = store::sync_state::mark_dirty_of_user(&mut tx, now, &caller.user, named).await?;
    tx.commit().await?;
    Ok(SyncNow {
        success: true,
        queued,
    })
}

/// All calendars of the user.
pub async fn list(conn: &mut PgConnection, caller: &Caller) -> Result<CalendarList, RpcError> {
    let connections = store::connections::of_user(conn, &caller.user).await?;
    let own = own_calendars(conn, caller, None).await?;
    let ids: Vec<_> = own.iter().map(|calendar| calendar.id).collect();
    let freshness = freshness(conn, caller, caller.state.now(), Some(&ids)).await?;
    let mut freshness: HashMap<_, _> = freshness.into_iter().map(|f| (f.calendar_id, f)).collect();
    let calendars = own.into_iter().map(|calendar| CalendarInfo {
        freshness: freshness.remove(&calendar.id),
        id: calendar.id,
        connection_id: calendar.connection_id,
        google_id: calendar.google_id,
        summary: calendar.summary,
        description: calendar.description,
        time_zone: calendar.time_zone,
        color_id: calendar.color_id,
        background_color: calendar.background_color,
        foreground_color: calendar.foreground_color,
        access_role: calendar.access_role,
        primary: calendar.is_primary,
        selected: calendar.selected,
        access_lost: calendar.access_lost_at.is_some(),
        push_supported: calendar.push_supported,
    });
    Ok(CalendarList {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(&connections),
        calendars: calendars.collect(),
    })
}
