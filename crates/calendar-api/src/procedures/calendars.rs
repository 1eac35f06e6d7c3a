//! The list of calendars, and their selection.

use common::ids::{CalendarId, ConnectionId};
use event_model::wire::Freshness;
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use store::calendars::Calendar;
use store::reading::{Reading, Request};
use ts_rs::TS;

use super::events::{freshness_of, has_calendar_access};
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
    let reading = caller.state.reader.read(request(&caller)).await?;
    Ok(list_of(&reading, &caller))
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

async fn list(conn: &mut PgConnection, caller: &Caller) -> Result<CalendarList, RpcError> {
    let request = [request(caller)];
    let readings = store::reading::read(conn, caller.state.now(), &request).await?;
    let list = readings.first().map(|reading| list_of(reading, caller));
    list.ok_or_else(|| RpcError::of(Code::InternalServerError))
}

fn request(caller: &Caller) -> Request {
    Request {
        user: caller.user.clone(),
        with_queue: false,
        load: None,
    }
}

/// All calendars of the user.
fn list_of(reading: &Reading, caller: &Caller) -> CalendarList {
    let now = caller.state.now();
    let calendars = reading.calendars.iter().map(|one| {
        let freshness = freshness_of(std::slice::from_ref(&one.evidence), caller, now);
        info(one.calendar.clone(), freshness.into_iter().next())
    });
    CalendarList {
        connected: !reading.connections.is_empty(),
        has_calendar_access: has_calendar_access(&reading.connections),
        calendars: calendars.collect(),
    }
}

fn info(calendar: Calendar, freshness: Option<Freshness>) -> CalendarInfo {
    CalendarInfo {
        freshness,
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
    }
}
