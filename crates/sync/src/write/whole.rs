//! One event with its texts whole.

use event_model::expansion;
use event_model::span::{Span, Start};
use event_model::wire::Event;
use event_model::zone;
use sqlx::PgConnection;
use store::calendars::Calendar;
use store::sync_state;

use super::commit::find_instance;
use super::plan::AnswerInstance;
use super::target;
use crate::pull::context;

/// The event as readers see it, with its texts whole; for the id of a series, its first instance. None: there is none, or it
/// was deleted.
pub async fn whole_event(
    conn: &mut PgConnection,
    calendar: &Calendar,
    id: &str,
) -> sqlx::Result<Option<Event>> {
    let Some(target) = target::find(conn, calendar, id).await? else {
        return Ok(None);
    };
    let (event, fields) = (target.version.event, target.version.fields);
    let generation = sync_state::generation(conn, calendar.id.into()).await?;
    let (Some(start), Some(generation)) = (fields.when.map(Span::start), generation) else {
        return Ok(None);
    };
    if event.is_cancelled() {
        return Ok(None);
    }
    let at = match start {
        Start::At(at) => at,
        Start::Day(day) => {
            zone::day_start(context(calendar).time_zone, day).unwrap_or_else(|| start.as_utc())
        }
    };
    let answer = AnswerInstance {
        series: event.series_id().to_owned(),
        instance: (!event.is_master()).then(|| event.id.clone()),
        at,
    };
    let instance = find_instance(conn, calendar, generation, &answer).await?;
    Ok(instance.map(|instance| expansion::whole(instance, &event)))
}
