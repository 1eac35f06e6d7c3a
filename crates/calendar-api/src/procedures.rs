//! The table of procedures.

mod activity;
mod calendars;
mod connection;
mod data;
mod events;
mod input;
mod realtime;
mod watch;
mod write;

use std::sync::Arc;

use futures_util::FutureExt;
use rpc::Router;
use sync::calls::CallError;

use crate::state::Caller;

pub fn router() -> Router<Caller> {
    Router::new()
        .query("calendar.google.getUpcomingEvents", events::get_upcoming_events)
        .query("calendar.google.getEvents", events::get_events)
        .query("calendar.google.getEvent", events::get_event)
        .query("calendar.google.getSyncActivity", activity::get_sync_activity)
        .query("calendar.google.listCalendars", calendars::list_calendars)
        .mutation("calendar.google.createEvent", write::create_event)
        .mutation("calendar.google.updateEvent", write::update_event)
        .mutation("calendar.google.deleteEvent", write::delete_event)
        .mutation("calendar.google.moveEvent", write::move_event)
        .mutation("calendar.google.respondToEvent", write::respond_to_event)
        .mutation("calendar.google.selectCalendars", calendars::select_calendars)
        .mutation("calendar.google.syncNow", calendars::sync_now)
        .mutation("calendar.google.watchCalendar", watch::watch_calendar)
        .mutation("calendar.google.stopWatchCalendar", watch::stop_watch_calendar)
        .mutation("calendar.google.connect", connection::connect)
        .mutation("calendar.google.disconnect", connection::disconnect)
        .query("calendar.google.status", connection::status)
        .query("calendar.google.exportData", data::export_data)
        .mutation("calendar.google.deleteData", data::delete_data)
        .query("realtime.getConnectionToken", realtime::get_connection_token)
        .query("realtime.getSubscriptionToken", realtime::get_subscription_token)
        .query("realtime.getState", realtime::get_state)
        .secret("calendar.google.connect")
        .secret("realtime.getConnectionToken")
        .secret("realtime.getSubscriptionToken")
        .temporary_errors(|error| {
            if database_error(error).is_some_and(store::is_read_only_error) {
                store::renew_connections();
            }
            is_temporary(error)
        })
        .admitted_by(|caller| caller.in_turn().boxed())
        .observed_by(crate::metrics::called)
}

fn database_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e sqlx::Error> {
    if let Some(CallError::Database(error)) = error.downcast_ref() {
        return Some(error);
    }
    let shared = error.downcast_ref::<Arc<sqlx::Error>>();
    shared.map(Arc::as_ref).or_else(|| error.downcast_ref())
}

/// Whether an error is that of a database that is busy, restarting, unreachable, or read-only after a failover.
fn is_temporary(error: &(dyn std::error::Error + 'static)) -> bool {
    match database_error(error) {
        // `Protocol`: a proxy in front of Postgres closed the connection in the middle of a message.
        Some(
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_),
        ) => true,
        Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| is_temporary_state(&code)),
        _ => false,
    }
}

/// Of Postgres's codes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): connection failures, too many
/// connections, a shutdown, a statement or lock timeout, a deadlock, a server that is read-only, and a transaction that was
/// ended because it waited (25P03) or took (25P04) too long, as on a machine that stood still.
fn is_temporary_state(code: &str) -> bool {
    matches!(code, "55P03" | "40001" | "40P01" | "25006" | "25P03" | "25P04")
        || ["08", "53", "57"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a token, a secret or a URL with one has in these types.
    fn may_be_secret(field: &str) -> bool {
        let field = field.to_lowercase();
        let words = ["token", "secret", "password", "verifier", "credential", "jwt"];
        words.iter().any(|word| field.contains(word)) || field == "url"
    }

    /// Each field of a procedure's output, as `Type.field`.
    fn output_fields(procedure: &rpc::Procedure<Caller>) -> Vec<String> {
        let mut declarations = procedure.output_declarations();
        // `Message` flattens it.
        declarations.add::<event_model::wire::Change>();
        let mut fields = Vec::new();
        for name in declarations.names() {
            for line in declarations.get(name).unwrap_or_default().lines() {
                if let Some((field, _)) = line.trim().split_once(':') {
                    fields.push(format!("{name}.{}", field.trim_end_matches('?')));
                }
            }
        }
        fields
    }

    #[test]
    fn every_procedure_that_returns_a_secret_is_marked() {
        for procedure in router().procedures() {
            let fields = output_fields(procedure);
            assert!(!fields.is_empty(), "{}", procedure.path);
            let secret: Vec<_> = fields
                .into_iter()
                .filter(|field| may_be_secret(field.rsplit('.').next().unwrap_or_default()))
                .collect();
            assert_eq!(
                !secret.is_empty(),
                procedure.is_secret,
                "{}: {secret:?}",
                procedure.path
            );
        }
    }

    #[test]
    fn connection_failures_are_temporary_and_wrong_statements_are_not() {
        let cut = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        let reset = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        for error in [cut, reset, sqlx::Error::PoolTimedOut] {
            assert!(is_temporary(&error), "{error}");
            assert!(is_temporary(&CallError::Database(error)));
        }
        for code in [
            "08006", "25006", "25P03", "40P01", "53300", "55P03", "57014", "57P01",
        ] {
            assert!(is_temporary_state(code), "{code}");
        }
        for code in ["23505", "25P02", "42P01"] {
            assert!(!is_temporary_state(code), "{code}");
        }
        assert!(!is_temporary(&sqlx::Error::RowNotFound));
        assert!(!is_temporary(&sqlx::Error::ColumnNotFound("no_such".to_owned())));
    }
}
