//! Test only: the mutant of the incremental pull that takes more than a line.

use common::mutant;
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
