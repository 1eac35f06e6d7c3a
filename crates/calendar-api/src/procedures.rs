//! The table of procedures.

mod calendars;
mod connection;
mod events;
mod input;
mod realtime;
mod watch;

use common::ids::{CalendarId, ConnectionId};
use rpc::{Code, Router, RpcError};
use sqlx::PgConnection;
use store::calendars::Calendar;

use crate::state::Caller;

pub fn router() -> Router<Caller> {
    Router::new()
        .query("calendar.google.getUpcomingEvents", events::get_upcoming_events)
        .query("calendar.google.getEvents", events::get_events)
        .query("calendar.google.listCalendars", calendars::list_calendars)
        .mutation("calendar.google.selectCalendars", calendars::select_calendars)
        .mutation("calendar.google.syncNow", calendars::sync_now)
        .mutation("calendar.google.watchCalendar", watch::watch_calendar)
        .mutation("calendar.google.stopWatchCalendar", watch::stop_watch_calendar)
        .mutation("calendar.google.connect", connection::connect)
        .mutation("calendar.google.disconnect", connection::disconnect)
        .query("calendar.google.status", connection::status)
        .query("realtime.getConnectionToken", realtime::get_connection_token)
        .query("realtime.getSubscriptionToken", realtime::get_subscription_token)
        .query("realtime.getState", realtime::get_state)
}

/// The user's calendars, if those named are among them. Somebody else's calendar is one that does not exist.
async fn own_calendars(
    conn: &mut PgConnection,
    caller: &Caller,
    named: Option<&[CalendarId]>,
) -> Result<Vec<Calendar>, RpcError> {
    let own = store::calendars::of_user(conn, &caller.user).await?;
    let stranger = named
        .unwrap_or_default()
        .iter()
        .find(|id| !own.iter().any(|calendar| calendar.id == **id));
    match stranger {
        None => Ok(own),
        Some(id) => Err(
            RpcError::new(Code::NotFound, format!("There is no calendar {id}"))
                .with_reason("CALENDAR_NOT_FOUND"),
        ),
    }
}

fn no_connection(id: ConnectionId) -> RpcError {
    RpcError::new(Code::NotFound, format!("There is no connection {id}")).with_reason("CONNECTION_NOT_FOUND")
}
