//! The series in which two generations of a calendar differ.

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use sqlx::PgConnection;

use crate::instances::{FoundEvent, ReadRange};

/// Two generations of a calendar, and the part of their differences that is read.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    pub calendar: CalendarId,
    pub calendar_zone: &'a str,
    pub old: i64,
    pub new: i64,
    /// All series of both generations count as different.
    pub all: bool,
    /// Each event with an instance near this range is returned with all its instances.
    pub range: ReadRange,
    /// The most series, and the most bytes of their views.
    pub max_series: usize,
    pub max_bytes: usize,
}

/// A series that differs, as it is in the new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferentSeries {
    pub series_id: String,
    /// It has an instance, wherever.
    pub is_alive: bool,
    pub events: Vec<FoundEvent>,
}

struct Row {
    series_id: String,
    is_alive: bool,
    event_id: Option<String>,
    is_master: Option<bool>,
    starts_at: Option<DateTime<Utc>>,
    is_all_day: Option<bool>,
    starts: Option<Vec<DateTime<Utc>>>,
    length: Option<i64>,
    view: Option<String>,
}

impl Row {
    fn event(self, compared: &Comparison<'_>) -> Option<FoundEvent> {
        Some(FoundEvent {
            calendar_id: compared.calendar,
            calendar_zone: compared.calendar_zone.to_owned(),
            event_id: self.event_id?,
            series_id: self.series_id,
            is_master: self.is_master?,
            starts_at: self.starts_at?,
            is_all_day: self.is_all_day?,
            starts: self.starts?,
            length: self.length?,
            view: self.view?,
            is_short: false,
        })
    }
}

/// The series with an event that is in one generation only, or differs in its status, its view or its instances, in order of
/// their ids. None: they are more, or larger, than the comparison allows, or an event has no view yet.
///
/// The instances of a master are compared near the range only: beyond it they depend on when each generation was expanded.
/// The caller has locked the calendar.
pub async fn differences(
    conn: &mut PgConnection,
    compared: Comparison<'_>,
) -> sqlx::Result<Option<Vec<DifferentSeries>>> {
    let max_series = i64::try_from(compared.max_series).unwrap_or(i64::MAX);
    // Zones differ by up to 26 hours.
    let rows = sqlx::query_as!(
        Row,
        r#"with old_events as (
             select event_id, coalesce(recurring_event_id, event_id) as series_id, status, view
             from events where calendar_id = $1 and generation = $2
         ), new_events as (
             select event_id, coalesce(recurring_event_id, event_id) as series_id, status, view
             from events where calendar_id = $1 and generation = $3
         ), old_times as (
             select event_id, series_id, is_master, is_all_day, starts, length,
                    width_bucket($5::timestamptz - interval '26 hours' - make_interval(secs => length), starts) as before,
                    width_bucket($6::timestamptz + interval '26 hours', starts) as until
             from instances where calendar_id = $1 and generation = $2
         ), new_times as (
             select event_id, series_id, is_master, is_all_day, starts, length,
                    width_bucket($5::timestamptz - interval '26 hours' - make_interval(secs => length), starts) as before,
                    width_bucket($6::timestamptz + interval '26 hours', starts) as until
             from instances where calendar_id = $1 and generation = $3
         ), different as (
             select s.series_id
             from old_events o full join new_events n using (event_id)
             cross join lateral (values (o.series_id), (n.series_id)) as s (series_id)
             where s.series_id is not null
               and ($4 or (o.series_id, o.status, o.view) is distinct from (n.series_id, n.status, n.view))
             union
             select s.series_id
             from old_times o full join new_times n using (event_id)
             cross join lateral (values (o.series_id), (n.series_id)) as s (series_id)
             where s.series_id is not null
               and case when coalesce(n.is_master, o.is_master)
                        then nullif(o.starts[o.before + 1:o.until], '{}') is distinct from nullif(n.starts[n.before + 1:n.until], '{}')
                             or (o.is_all_day, o.length) <> (n.is_all_day, n.length)
                        else (o.starts, o.is_all_day, o.length) is distinct from (n.starts, n.is_all_day, n.length) end
             limit $7
         )
         select d.series_id as "series_id!",
                exists (select from instances i
                        where i.calendar_id = $1 and i.generation = $3 and i.series_id = d.series_id) as "is_alive!",
                near.event_id as "event_id?", near.is_master as "is_master?", near.starts_at as "starts_at?",
                near.is_all_day as "is_all_day?", near.starts as "starts?", near.length as "length?",
                case when sum(octet_length(near.view)) over () <= $8 then near.view end as "view?"
         from different d
         left join lateral (
             select i.event_id, i.is_master, i.starts_at, i.is_all_day, i.starts, i.length, e.view
             from instances i
             cross join lateral (
                 -- `offset`: a generation that has just been written seems empty to the planner, which would read all of it
                 -- for each series.
                 select view from events
                 where calendar_id = $1 and generation = $3 and event_id = i.event_id
                 offset 0
             ) as e
             where i.calendar_id = $1 and i.generation = $3 and i.series_id = d.series_id
               and i.ends_at > $5::timestamptz - interval '26 hours' and i.starts_at < $6::timestamptz + interval '26 hours'
               and e.view is distinct from ''
             offset 0
         ) as near on true
         order by d.series_id"#,
        compared.calendar.as_uuid(),
        compared.old,
        compared.new,
        compared.all,
        compared.range.from,
        compared.range.to,
        max_series.saturating_add(1),
        i64::try_from(compared.max_bytes).unwrap_or(i64::MAX),
    )
    .fetch_all(conn)
    .await?;
    let mut different: Vec<DifferentSeries> = Vec::new();
    for row in rows {
        if row.event_id.is_some() && row.view.is_none() {
            return Ok(None);
        }
        if different
            .last()
            .is_none_or(|last| last.series_id != row.series_id)
        {
            different.push(DifferentSeries {
                series_id: row.series_id.clone(),
                is_alive: row.is_alive,
                events: Vec::new(),
            });
        }
        if let Some(last) = different.last_mut() {
            last.events.extend(row.event(&compared));
        }
    }
    Ok((different.len() <= compared.max_series).then_some(different))
}
