//! Series with more instances within the horizon than are kept.

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use sqlx::PgConnection;

/// A series, and the start of the last instance that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub series_id: String,
    pub at: DateTime<Utc>,
}

/// Records which of these series are cut: these, and no others.
pub async fn replace(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_ids: &[String],
    cuts: &[Cut],
) -> sqlx::Result<()> {
    let cut_ids: Vec<&str> = cuts.iter().map(|cut| cut.series_id.as_str()).collect();
    let times: Vec<DateTime<Utc>> = cuts.iter().map(|cut| cut.at).collect();
    sqlx::query!(
        "with whole as (
             delete from cut_series
             where calendar_id = $1 and generation = $2 and series_id = any($3) and series_id <> all($4)
         )
         insert into cut_series (calendar_id, generation, series_id, cut_at)
         select $1, $2, series_id, cut_at from unnest($4::text[], $5::timestamptz[]) as cut (series_id, cut_at)
         on conflict (calendar_id, generation, series_id) do update set cut_at = excluded.cut_at",
        calendar.as_uuid(),
        generation,
        series_ids,
        &cut_ids as &[&str],
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}
