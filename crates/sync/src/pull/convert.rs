//! Converting what a version before this one wrote: it stored no views, and instances in another table.

use std::sync::{Mutex, PoisonError};

use common::ids::CalendarId;
use common::worker::Pass;
use event_model::expansion;
use store::calendars;
use store::events::{self, Unconverted, Walk};
use store::instances::Place;
use uuid::Uuid;

use super::rebuild::write_series;
use super::series::context;
use crate::Context;

/// Events per transaction, with the rest of their series.
const EVENTS_AT_ONCE: i64 = 50;

/// Converts one calendar after the other, in order of their ids. Until then, every read expands them. Several may work at once:
/// each passes over calendars that another has locked.
pub struct Converter {
    ctx: Context,
    /// The calendar to continue with.
    from: Mutex<CalendarId>,
}

impl Converter {
    pub fn new(ctx: Context) -> Self {
        Self {
            ctx,
            from: Mutex::new(Uuid::nil().into()),
        }
    }

    /// Converts some series of one calendar. `Idle`: all calendars are converted, locked, or have failed; after a pause, the
    /// next pass begins again with the first.
    pub async fn run_once(&self) -> sqlx::Result<Pass> {
        let mut tx = self.ctx.pool.begin().await?;
        let from = *self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = events::next_unconverted(&mut tx, from, EVENTS_AT_ONCE).await? else {
            self.continue_from(Uuid::nil());
            events::forget_unconverted(&mut tx).await?;
            tx.commit().await?;
            return Ok(Pass::Idle);
        };
        let converted = async {
            self.convert(&mut tx, &found).await?;
            tx.commit().await
        };
        let id = found.calendar.as_uuid();
        match converted.await {
            Ok(()) => {
                self.continue_from(id);
                Ok(Pass::Worked)
            }
            Err(error) => {
                // It does not stop those after it.
                self.continue_from(Uuid::from_u128(id.as_u128().wrapping_add(1)));
                tracing::warn!(calendar.id = %found.calendar, "Could not convert a calendar; reads expand its series");
                Err(error)
            }
        }
    }

    fn continue_from(&self, id: Uuid) {
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) = id.into();
    }

    async fn convert(&self, conn: &mut sqlx::PgConnection, found: &Unconverted) -> sqlx::Result<()> {
        if let Some(calendar) = calendars::get(conn, &found.user, found.calendar).await? {
            let place = Place {
                user: &found.user,
                calendar: calendar.id,
                generation: found.generation,
            };
            let horizon = expansion::horizon(self.ctx.clock.now());
            let series = (Walk::Everything, found.series.as_slice());
            write_series(conn, place, &context(&calendar), series, horizon).await?;
        }
        events::settle_unconverted(conn, found.calendar, found.generation).await
    }
}
