//! For the caller, another user's calendars and connections do not exist.

use common::ids::{CalendarId, ConnectionId};
use rpc::{Code, RpcError};
use sqlx::PgConnection;
use store::calendars::Calendar;

use crate::state::Caller;

/// The user's calendars, if `named` are among them. For the caller, another user's calendar does not exist.
pub async fn own_calendars(
    conn: &mut PgConnection,
    caller: &Caller,
    named: Option<&[CalendarId]>,
) -> Result<Vec<Calendar>, RpcError> {
    let own = store::calendars::of_user(conn, &caller.user).await?;
    let unknown = named
        .unwrap_or_default()
        .iter()
        .find(|id| !own.iter().any(|calendar| calendar.id == **id));
    match unknown {
        None => Ok(own),
        Some(id) => Err(
            RpcError::new(Code::NotFound, format!("There is no calendar {id}"))
                .with_reason("CALENDAR_NOT_FOUND"),
        ),
    }
}

pub fn no_connection(id: ConnectionId) -> RpcError {
    RpcError::new(Code::NotFound, format!("There is no connection {id}")).with_reason("CONNECTION_NOT_FOUND")
}
