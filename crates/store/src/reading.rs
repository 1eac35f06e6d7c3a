//! All that a read shows, in one statement for several users: one snapshot, without a transaction.
//!
//! The statement returns a row for each calendar of each user, or one without a calendar. The events of a user are in the
//! first row.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calendars::{Calendar, Evidence};
use crate::connections::{Connection, QueueState};
use crate::instances::{FoundEvent, ReadRange};
use crate::user_stream::Position;

/// A read of a user's data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    pub user: UserId,
    /// Whether [`Connection::queue`] is needed. It is a default otherwise.
    pub with_queue: bool,
    /// None: no events are needed.
    pub load: Option<Load>,
}

/// The events to load, as [`within`](crate::instances::within) finds them in the selected calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Load {
    /// No events are needed if the user's stream is still here.
    pub unless: Option<Position>,
    pub range: ReadRange,
    pub limit: i64,
}

/// A user's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub position: Position,
    /// As [`connections::of_user`](crate::connections::of_user).
    pub connections: Vec<Connection>,
    /// As [`calendars::of_user`](crate::calendars::of_user).
    pub calendars: Vec<CalendarReading>,
    /// None: they were not requested, or the user's stream has not moved.
    pub events: Option<Vec<FoundEvent>>,
}

/// A calendar, and the state of its mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarReading {
    pub calendar: Calendar,
    pub evidence: Evidence,
    /// None: it was never pulled.
    pub generation: Option<i64>,
    /// Its events are those of a version before this one, or were expanded for another zone or role: some are being replaced
    /// without a message.
    pub is_converting: bool,
}

impl CalendarReading {
    /// Whether its events are shown.
    pub fn is_shown(&self) -> bool {
        self.calendar.selected && self.calendar.access_lost_at.is_none()
    }
}

/// Reads for all requests at once. The result has one entry for each, in their order.
pub async fn read(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    requests: &[Request],
) -> sqlx::Result<Vec<Reading>> {
    let rows = rows(conn, now, requests).await?;
    let mut readings: Vec<Reading> = requests.iter().map(|_| Reading::empty()).collect();
    for row in rows {
        let index = usize::try_from(row.position - 1).unwrap_or(usize::MAX);
        if let (Some(reading), Some(request)) = (readings.get_mut(index), requests.get(index)) {
            reading.add(row, &request.user);
        }
    }
    for reading in &mut readings {
        reading.finish();
    }
    Ok(readings)
}

impl Reading {
    const fn empty() -> Self {
        Self {
            position: Position {
                epoch: Uuid::nil(),
                seq: 0,
            },
            connections: Vec::new(),
            calendars: Vec::new(),
            events: None,
        }
    }

    fn add(&mut self, mut row: Row, user: &UserId) {
        self.position = Position {
            epoch: row.epoch,
            seq: row.seq,
        };
        if let Some(events) = row.events.take() {
            self.events = Some(events.into_iter().map(found).collect());
        }
        if let Some(id) = row.connection_id
            && !self.connections.iter().any(|known| known.id.as_uuid() == id)
        {
            self.connections.extend(row.connection());
        }
        self.calendars.extend(row.calendar(user));
    }

    /// Puts the rows in order, and the zones of their calendars into the events.
    fn finish(&mut self) {
        self.connections
            .sort_by_key(|one| (one.created_at, one.id.as_uuid()));
        let Some(events) = &mut self.events else { return };
        let shown: HashSet<CalendarId> = events.iter().map(|event| event.calendar_id).collect();
        for one in self
            .calendars
            .iter()
            .filter(|one| shown.contains(&one.calendar.id))
        {
            for event in events
                .iter_mut()
                .filter(|event| event.calendar_id == one.calendar.id)
            {
                event.calendar_zone.clone_from(&one.calendar.time_zone);
            }
        }
    }
}

/// The calendar, the event's id, the series' id, the first start, all starts, the length, the view, and flags.
type EventRecord = (
    Uuid,
    String,
    String,
    DateTime<Utc>,
    Vec<DateTime<Utc>>,
    i64,
    String,
    i32,
);

const IS_MASTER: i32 = 1;
const IS_ALL_DAY: i32 = 2;
const IS_SHORT: i32 = 4;

fn found(record: EventRecord) -> FoundEvent {
    let (calendar_id, event_id, series_id, starts_at, starts, length, view, flags) = record;
    FoundEvent {
        calendar_id: calendar_id.into(),
        calendar_zone: String::new(),
        event_id,
        series_id,
        is_master: flags & IS_MASTER != 0,
        starts_at,
        is_all_day: flags & IS_ALL_DAY != 0,
        starts,
        length,
        view,
        is_short: flags & IS_SHORT != 0,
    }
}

struct Row {
    position: i64,
    epoch: Uuid,
    seq: i64,
    connection_id: Option<Uuid>,
    google_sub: Option<String>,
    email: Option<String>,
    scopes: Option<Vec<String>>,
    grant_ended_at: Option<DateTime<Utc>>,
    grant_ended_reason: Option<String>,
    connected_at: Option<DateTime<Utc>>,
    importing: Option<bool>,
    failing_since: Option<DateTime<Utc>>,
    scope_missing: Option<bool>,
    calendar_off: Option<bool>,
    calendar_id: Option<Uuid>,
    google_id: Option<String>,
    summary: Option<String>,
    description: Option<String>,
    time_zone: Option<String>,
    color_id: Option<String>,
    background_color: Option<String>,
    foreground_color: Option<String>,
    access_role: Option<String>,
    is_primary: Option<bool>,
    selected: Option<bool>,
    push_supported: Option<bool>,
    access_lost_at: Option<DateTime<Utc>>,
    last_pull_at: Option<DateTime<Utc>>,
    last_push_at: Option<DateTime<Utc>>,
    due_since: Option<DateTime<Utc>>,
    poll_at: Option<DateTime<Utc>>,
    watched: Option<bool>,
    missed_push_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    attempts: Option<i32>,
    suspended: Option<bool>,
    cut_at: Option<DateTime<Utc>>,
    generation: Option<i64>,
    is_converting: Option<bool>,
    events: Option<Vec<EventRecord>>,
}

impl Row {
    fn connection(&self) -> Option<Connection> {
        Some(Connection {
            id: self.connection_id?.into(),
            google_sub: self.google_sub.clone()?,
            email: self.email.clone()?,
            scopes: self.scopes.clone()?,
            grant_ended_at: self.grant_ended_at,
            grant_ended_reason: self.grant_ended_reason.clone(),
            disconnected_at: None,
            created_at: self.connected_at?,
            queue: QueueState {
                importing: self.importing?,
                failing_since: self.failing_since,
                scope_missing: self.scope_missing?,
                calendar_off: self.calendar_off?,
            },
        })
    }

    fn calendar(self, user: &UserId) -> Option<CalendarReading> {
        let (id, connection_id) = (CalendarId::from(self.calendar_id?), self.connection_id?.into());
        Some(CalendarReading {
            evidence: self.evidence(id, connection_id)?,
            generation: self.generation,
            is_converting: self.is_converting?,
            calendar: Calendar {
                id,
                connection_id,
                user_id: user.clone(),
                google_id: self.google_id?,
                summary: self.summary?,
                description: self.description,
                time_zone: self.time_zone?,
                color_id: self.color_id,
                background_color: self.background_color,
                foreground_color: self.foreground_color,
                access_role: self.access_role?,
                is_primary: self.is_primary?,
                selected: self.selected?,
                push_supported: self.push_supported?,
                access_lost_at: self.access_lost_at,
            },
        })
    }

    fn evidence(&self, calendar_id: CalendarId, connection_id: ConnectionId) -> Option<Evidence> {
        Some(Evidence {
            calendar_id,
            connection_id,
            last_pull_at: self.last_pull_at,
            last_push_at: self.last_push_at,
            due_since: self.due_since,
            poll_at: self.poll_at,
            watched: self.watched?,
            missed_push_at: self.missed_push_at,
            push_supported: self.push_supported?,
            last_error: self.last_error.clone(),
            last_error_at: self.last_error_at,
            attempts: self.attempts.unwrap_or_default().unsigned_abs(),
            suspended: self.suspended?,
            access_lost_at: self.access_lost_at,
            grant_ended_at: self.grant_ended_at,
            disconnected_at: None,
            cut_at: self.cut_at,
        })
    }
}

#[expect(clippy::too_many_lines, reason = "one statement")]
async fn rows(conn: &mut PgConnection, now: DateTime<Utc>, requests: &[Request]) -> sqlx::Result<Vec<Row>> {
    let users: Vec<&str> = requests.iter().map(|request| request.user.as_str()).collect();
    let with_queue: Vec<bool> = requests.iter().map(|request| request.with_queue).collect();
    let loads: Vec<Option<Load>> = requests.iter().map(|request| request.load).collect();
    let unless = |load: &Option<Load>| load.and_then(|load| load.unless);
    let epochs: Vec<Option<Uuid>> = loads.iter().map(|load| unless(load).map(|at| at.epoch)).collect();
    let seqs: Vec<Option<i64>> = loads.iter().map(|load| unless(load).map(|at| at.seq)).collect();
    let from: Vec<Option<DateTime<Utc>>> = loads
        .iter()
        .map(|load| load.map(|load| load.range.from))
        .collect();
    let to: Vec<Option<DateTime<Utc>>> = loads.iter().map(|load| load.map(|load| load.range.to)).collect();
    let limits: Vec<Option<i64>> = loads.iter().map(|load| load.map(|load| load.limit)).collect();
    sqlx::query_as!(
        Row,
        // `offset 0` keeps each user's rows a subquery of their own, which is read by index however many users are requested.
        // `(select …)` hides the number of users from the planner, so that it does not plan every run, which takes longer
        // than the run. The events are those of `instances::within`.
        r#"select r.position as "position!", coalesce(u.epoch, '00000000-0000-0000-0000-000000000000') as "epoch!",
                  coalesce(u.seq, 0) as "seq!",
                  x.connection_id as "connection_id?", x.google_sub as "google_sub?", x.email as "email?",
                  x.scopes as "scopes?", x.grant_ended_at as "grant_ended_at?",
                  x.grant_ended_reason as "grant_ended_reason?", x.connected_at as "connected_at?",
                  x.importing as "importing?", x.failing_since as "failing_since?",
                  x.scope_missing as "scope_missing?", x.calendar_off as "calendar_off?",
                  x.calendar_id as "calendar_id?", x.google_id as "google_id?", x.summary as "summary?",
                  x.description as "description?", x.time_zone as "time_zone?", x.color_id as "color_id?",
                  x.background_color as "background_color?", x.foreground_color as "foreground_color?",
                  x.access_role as "access_role?", x.is_primary as "is_primary?", x.selected as "selected?",
                  x.push_supported as "push_supported?", x.access_lost_at as "access_lost_at?",
                  x.last_pull_at as "last_pull_at?", x.last_push_at as "last_push_at?", x.due_since as "due_since?",
                  x.poll_at as "poll_at?", x.watched as "watched?", x.missed_push_at as "missed_push_at?",
                  x.last_error as "last_error?", x.last_error_at as "last_error_at?", x.attempts as "attempts?",
                  x.suspended as "suspended?", x.cut_at as "cut_at?", x.generation as "generation?",
                  x.is_converting as "is_converting?",
                  case when coalesce(x.is_first, true) and r.from_at is not null
                        and (r.epoch is null or (u.epoch, u.seq) is distinct from (r.epoch, r.seq)) then (
                      with shown as (
                          select c.id, s.generation
                          from calendars c join sync_state s on s.resource_id = c.id
                          join connections n on n.id = c.connection_id
                          where c.user_id = r.user_id and c.access_lost_at is null and n.disconnected_at is null
                            and c.selected
                      ), found as (
                          (select i.*, true as is_short
                           from instances i join shown on shown.id = i.calendar_id and shown.generation = i.generation
                           where i.user_id = r.user_id and i.ends_at - i.starts_at <= interval '36 hours'
                             and i.starts_at >= r.from_at - interval '62 hours'
                             and i.starts_at < r.to_at + interval '26 hours'
                             and (i.is_all_day or i.ends_at > r.from_at or i.starts_at >= r.from_at)
                           order by i.starts_at limit r.most)
                          union all
                          (select i.*, false
                           from instances i join shown on shown.id = i.calendar_id and shown.generation = i.generation
                           where i.user_id = r.user_id and i.ends_at - i.starts_at > interval '36 hours'
                             and i.ends_at > r.from_at - interval '26 hours'
                             and i.starts_at < r.to_at + interval '26 hours')
                      )
                      select coalesce(array_agg(row(f.calendar_id, f.event_id, f.series_id, f.starts_at, f.starts, f.length,
                                 e.view, f.is_master::int + 2 * f.is_all_day::int + 4 * f.is_short::int)), '{}')
                      from found f join events e using (calendar_id, generation, event_id)
                      where e.view <> ''
                  ) end as "events?: Vec<EventRecord>"
           from unnest((select $2::text[]), (select $3::bool[]), (select $4::uuid[]), (select $5::bigint[]),
                       (select $6::timestamptz[]), (select $7::timestamptz[]), (select $8::bigint[])) with ordinality
               as r (user_id, with_queue, epoch, seq, from_at, to_at, most, position)
           left join lateral (select epoch, seq from user_stream where user_id = r.user_id offset 0) u on true
           left join lateral (
               select n.id as connection_id, n.google_sub, n.email, n.scopes, n.grant_ended_at, n.grant_ended_reason,
                      n.created_at as connected_at, p.importing, p.failing_since, p.scope_missing, p.calendar_off,
                      c.id as calendar_id, c.google_id, c.summary, c.description, c.time_zone, c.color_id,
                      c.background_color, c.foreground_color, c.access_role, c.is_primary, c.selected,
                      c.push_supported, c.access_lost_at, s.last_pull_at, s.last_push_at,
                      case when s.dirty_seq > s.synced_seq then coalesce(s.due_since, s.dirty_at) end as due_since,
                      case when isfinite(s.poll_at) then s.poll_at end as poll_at,
                      exists (select from watches w
                              where w.resource_id = c.id and w.state = 'live' and w.expires_at > $1) as watched,
                      s.missed_push_at, s.last_error, s.last_error_at, s.attempts,
                      coalesce(s.not_before = 'infinity', true) as suspended,
                      (select min(i.cut_at) from instances i where i.calendar_id = c.id and i.generation = s.generation
                          and i.cut_at is not null) as cut_at,
                      s.generation,
                      s.horizon_until is null or exists (
                          select from unconverted e where e.calendar_id = c.id and e.generation = s.generation)
                          as is_converting,
                      row_number() over (order by n.created_at, n.id, c.id) = 1 as is_first
               from connections n
               cross join lateral (
                   select coalesce(bool_or(s.last_pull_at is null), true) as importing,
                          min(s.dirty_at) filter (where s.dirty_seq > s.synced_seq and s.last_error is not null)
                              as failing_since,
                          coalesce(bool_or(s.last_error = 'scope_missing'), false) as scope_missing,
                          coalesce(bool_or(s.last_error = 'calendar_off'), false) as calendar_off
                   from sync_state s left join calendars c on c.id = s.resource_id
                   where r.with_queue and s.connection_id = n.id
                     and (s.kind = 'calendar_list' or (c.selected and c.access_lost_at is null))
               ) p
               left join calendars c on c.connection_id = n.id and c.user_id = r.user_id
               left join sync_state s on s.resource_id = c.id
               where n.user_id = r.user_id and n.disconnected_at is null
               offset 0
           ) x on true
           order by r.position, x.is_primary desc, x.summary, x.calendar_id"#,
        now,
        &users as &[&str],
        &with_queue,
        &epochs as &[Option<Uuid>],
        &seqs as &[Option<i64>],
        &from as &[Option<DateTime<Utc>>],
        &to as &[Option<DateTime<Utc>>],
        &limits as &[Option<i64>],
    )
    .fetch_all(conn)
    .await
}
