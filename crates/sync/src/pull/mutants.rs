//! Test only: the mutants of pulls that take more than a line.

use common::ids::CalendarId;
use common::mutant;
use sqlx::PgConnection;
use store::events::NewEvent;
use store::sync_state::{self, Horizon, Progress};

use super::decision::PullError;
use super::session::Session;

/// `token_before_events`: the sync token is committed before its events.
pub async fn save_token_first(session: &Session<'_>, sync_token: &str) -> Result<(), PullError> {
    if !mutant!("token_before_events") {
        return Ok(());
    }
    let mut tx = session.ctx.pool.begin().await?;
    let progress = Progress {
        sync_token,
        page_size: session.pull.page_size,
        generation: session.pull.generation,
        horizon: Horizon::Unchanged,
        pulled_at: session.started,
        changed: false,
    };
    sync_state::settle(&mut tx, session.pull, progress).await?;
    store::mutants::seize(&mut tx, &session.pull.lease).await?;
    tx.commit().await?;
    Ok(())
}

/// `view_not_written`: an event that is stored keeps its view when it changes.
pub async fn keep_views(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    mut events: Vec<NewEvent>,
) -> sqlx::Result<Vec<NewEvent>> {
    if mutant!("view_not_written") {
        for event in &mut events {
            store::mutants::keep_view(conn, (calendar, generation), event).await?;
        }
    }
    Ok(events)
}
