//! Plans a request: everything that can be refused without asking Google is refused here, and everything that depends on
//! the version that the user saw is decided here.

mod event;
mod planner;
mod series;

use common::ids::{CalendarId, UserId, new_uuid};
use google::scopes;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::connections;

use super::request::{Command, Refused, Request};
use super::result::Reason;
use crate::pull::context;
use planner::Planner;
pub use planner::Prepared;

pub async fn prepare(conn: &mut PgConnection, user: &UserId, request: Request) -> Result<Prepared, Refused> {
    let calendar = writable(conn, user, request.calendar).await?;
    let planner = Planner {
        id: new_uuid(),
        context: context(&calendar),
        calendar,
        mail: request.mail,
    };
    match request.command {
        Command::Create { event } => planner.create(&event),
        Command::Update {
            event_id,
            base_etag,
            patch,
            scope,
        } => planner.update(conn, &event_id, &base_etag, &patch, scope).await,
        Command::Delete {
            event_id,
            base_etag,
            scope,
        } => planner.delete(conn, &event_id, base_etag.as_deref(), scope).await,
        Command::Move {
            event_id,
            destination,
        } => {
            let destination = writable(conn, user, destination).await?;
            planner.move_event(conn, &event_id, &destination).await
        }
        Command::Respond {
            event_id,
            response,
            comment,
            scope,
        } => planner.respond(conn, &event_id, (response, comment), scope).await,
    }
}

/// The user's calendar, if its account may write to it.
async fn writable(conn: &mut PgConnection, user: &UserId, id: CalendarId) -> Result<Calendar, Refused> {
    let calendar = calendars::get(conn, user, id)
        .await?
        .ok_or(Reason::CalendarNotFound)?;
    let connection = connections::of_user(conn, user)
        .await?
        .into_iter()
        .find(|connection| connection.id == calendar.connection_id)
        .ok_or(Reason::NotConnected)?;
    let reason = if connection.disconnected_at.is_some() {
        Reason::NotConnected
    } else if connection.grant_ended_at.is_some() {
        Reason::ReauthRequired
    } else if !scopes::allows_event_writes(&connection.scopes) {
        Reason::WriteScopeMissing
    } else if calendar.access_lost_at.is_some() {
        Reason::AccessLost
    } else {
        return Ok(calendar);
    };
    Err(reason.into())
}
