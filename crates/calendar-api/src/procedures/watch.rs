//! Push channels on request. No client needs to: a selected calendar is watched as soon as possible.

use common::ids::CalendarId;
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use store::calendars::Calendar;
use store::sync_state::Kind;
use store::watches::{self, Live, Wanted};
use ts_rs::TS;

use super::input::GoogleText;
use crate::ownership::own_calendars;
use crate::state::Caller;

#[derive(Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[ts(optional_fields)]
pub struct WatchCalendarInput {
    /// Default: the primary one.
    #[ts(as = "Option<String>")]
    calendar_id: Option<CalendarId>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WatchCalendar {
    channel_id: String,
    /// Google's opaque id of the watched resource.
    resource_id: String,
    /// Milliseconds since 1970, as a string, as in Google's API.
    expiration: String,
}

impl From<Live> for WatchCalendar {
    fn from(live: Live) -> Self {
        Self {
            channel_id: live.channel_id,
            resource_id: live.google_resource_id,
            expiration: live.expires_at.timestamp_millis().to_string(),
        }
    }
}

/// `calendar.google.watchCalendar`: the channel of a calendar, created now if there is none.
pub async fn watch_calendar(caller: Caller, input: WatchCalendarInput) -> Result<WatchCalendar, RpcError> {
    let ctx = &caller.state.sync;
    let calendar = watchable(&caller, input.calendar_id).await?;
    if let Some(live) = live(&caller, &calendar).await? {
        return Ok(live.into());
    }
    if ctx.settings.webhook_address().is_none() {
        let message =
            "This installation has no public URL, so Google cannot push to it; calendars are polled";
        return Err(RpcError::new(Code::PreconditionFailed, message).with_reason("PUSH_UNAVAILABLE"));
    }
    if !calendar.push_supported {
        return Err(not_supported());
    }
    let wanted = Wanted {
        resource_id: calendar.id.into(),
        kind: Kind::Events,
        connection_id: calendar.connection_id,
        user_id: caller.user.clone(),
        google_calendar_id: Some(calendar.google_id.clone()),
        replaces: None,
    };
    sync::watch::open(ctx, &wanted).await?;
    match live(&caller, &calendar).await? {
        Some(live) => Ok(live.into()),
        None if !watchable(&caller, Some(calendar.id)).await?.push_supported => Err(not_supported()),
        None => Err(RpcError::new(
            Code::ServiceUnavailable,
            "Google did not open a channel; Calwire retries automatically",
        )
        .with_reason("WATCH_FAILED")),
    }
}

/// The calendar to watch, if it is selected.
async fn watchable(caller: &Caller, id: Option<CalendarId>) -> Result<Calendar, RpcError> {
    let mut conn = caller.state.sync.pool.acquire().await?;
    let named = id.as_ref().map(std::slice::from_ref);
    let own = own_calendars(&mut conn, caller, named).await?;
    let calendar = own
        .into_iter()
        .find(|calendar| id.map_or(calendar.is_primary, |id| calendar.id == id));
    let Some(calendar) = calendar else {
        return Err(
            RpcError::new(Code::Unauthorized, "Calendar not connected").with_reason("CALENDAR_NOT_CONNECTED")
        );
    };
    if !calendar.selected {
        return Err(
            RpcError::new(Code::PreconditionFailed, "This calendar is not selected")
                .with_reason("CALENDAR_NOT_SELECTED"),
        );
    }
    Ok(calendar)
}

async fn live(caller: &Caller, calendar: &Calendar) -> Result<Option<Live>, RpcError> {
    let mut conn = caller.state.sync.pool.acquire().await?;
    Ok(watches::live_of_calendar(&mut conn, caller.state.now(), &caller.user, calendar.id).await?)
}

fn not_supported() -> RpcError {
    let message = "Google cannot push changes of this calendar; it is polled";
    RpcError::new(Code::PreconditionFailed, message).with_reason("PUSH_NOT_SUPPORTED")
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StopWatchCalendarInput {
    #[ts(type = "string")]
    channel_id: GoogleText,
    #[ts(type = "string")]
    resource_id: GoogleText,
}

#[derive(Debug, Serialize, TS)]
pub struct StopWatchCalendar {
    success: bool,
}

/// `calendar.google.stopWatchCalendar`: stops the channel. A selected calendar stays current by a new channel or by polling.
pub async fn stop_watch_calendar(
    caller: Caller,
    input: StopWatchCalendarInput,
) -> Result<StopWatchCalendar, RpcError> {
    let mut conn = caller.state.sync.pool.acquire().await?;
    let (channel, resource) = (input.channel_id.as_str(), input.resource_id.as_str());
    let known = watches::replace_of_user(&mut conn, &caller.user, channel, resource).await?;
    if known {
        Ok(StopWatchCalendar { success: true })
    } else {
        Err(RpcError::new(Code::NotFound, "Channel not found").with_reason("CHANNEL_NOT_FOUND"))
    }
}
