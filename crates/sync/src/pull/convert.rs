//! Converting what a version before this one wrote: it stored no views, and instances in another table.

use common::worker::Pass;
use event_model::expansion;
use store::calendars;
use store::events::{self, Walk};
use store::instances::Place;

use super::rebuild::write_series;
use super::series::context;
use crate::Context;

/// Series per transaction.
const SERIES_AT_ONCE: i64 = 50;

/// Converts some series of one calendar. Until then, every read expands them. `Idle`: all are converted.
pub async fn convert_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut tx = ctx.pool.begin().await?;
    let Some(found) = events::next_unconverted(&mut tx, SERIES_AT_ONCE).await? else {
        return Ok(Pass::Idle);
    };
    calendars::lock(&mut tx, found.calendar).await?;
    if let Some(calendar) = calendars::get(&mut tx, &found.user, found.calendar).await? {
        let place = Place {
            user: &found.user,
            calendar: calendar.id,
            generation: found.generation,
        };
        let horizon = expansion::horizon(ctx.clock.now());
        let series = (Walk::Everything, found.series.as_slice());
        write_series(&mut tx, place, &context(&calendar), series, horizon).await?;
    }
    tx.commit().await?;
    Ok(Pass::Worked)
}
