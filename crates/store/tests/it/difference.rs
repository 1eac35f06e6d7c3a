//! The series in which two generations of a calendar differ.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use chrono::{DateTime, Days, TimeDelta, Utc};
use common::ids::CalendarId;
use sqlx::{PgConnection, PgPool};
use store::events::{self, Comparison, NewEvent};
use store::instances::{self, NewInstances, Place, ReadRange};

use crate::support::{calendar_of, event, now, user};

/// An event of a generation, with its starts.
struct Written(NewEvent, Vec<DateTime<Utc>>);

/// At nine o'clock, some days from now.
fn days(days: impl IntoIterator<Item = i64>) -> Vec<DateTime<Utc>> {
    let day = |days| now() + TimeDelta::days(days);
    days.into_iter().map(day).collect()
}

fn single(id: &str, view: &str, day: i64) -> Written {
    let event = NewEvent {
        view: view.into(),
        ..event(id, "1", 0)
    };
    Written(event, days([day]))
}

fn series(id: &str, starts: impl IntoIterator<Item = i64>) -> Written {
    let Written(event, _) = single(id, "{}", 0);
    let recurrence = vec!["RRULE:FREQ=DAILY".into()];
    Written(NewEvent { recurrence, ..event }, days(starts))
}

fn cancelled(id: &str, master: &str) -> Written {
    let Written(event, _) = single(id, "", 0);
    let event = NewEvent {
        status: "cancelled".into(),
        recurring_event_id: Some(master.into()),
        ..event
    };
    Written(event, vec![])
}

async fn write(conn: &mut PgConnection, calendar: CalendarId, generation: i64, all: Vec<Written>) {
    let user = user("alice");
    let place = Place {
        user: &user,
        calendar,
        generation,
    };
    for Written(event, starts) in all {
        let is_master = !event.recurrence.is_empty();
        let rows = starts
            .first()
            .zip(starts.last())
            .map(|(&first, &last)| NewInstances {
                event_id: event.event_id.clone(),
                series_id: event.event_id.clone(),
                is_master,
                starts_at: first,
                ends_at: last + TimeDelta::hours(1),
                is_all_day: false,
                length: 3_600,
                cut_at: None,
                starts: starts.clone(),
            });
        let rows: Vec<NewInstances> = rows.into_iter().collect();
        let series: Vec<String> = rows.iter().map(|row| row.series_id.clone()).collect();
        events::upsert(conn, calendar, generation, &[event])
            .await
            .unwrap();
        instances::replace_series(conn, place, &series, &rows)
            .await
            .unwrap();
    }
}

fn comparison(calendar: CalendarId) -> Comparison<'static> {
    Comparison {
        calendar,
        calendar_zone: "Europe/Berlin",
        old: 1,
        new: 2,
        all: false,
        range: ReadRange {
            from: now().checked_sub_days(Days::new(8)).unwrap(),
            to: now().checked_add_days(Days::new(42)).unwrap(),
        },
        max_series: 10,
        max_bytes: 1_000,
    }
}

/// Each series with `alive` or `gone` and its number of events near the range.
async fn compare(conn: &mut PgConnection, compared: Comparison<'_>) -> Option<Vec<String>> {
    let different = events::differences(conn, compared).await.unwrap()?;
    let describe = |series: events::DifferentSeries| {
        let state = if series.is_alive { "alive" } else { "gone" };
        format!("{} {state} {}", series.series_id, series.events.len())
    };
    Some(different.into_iter().map(describe).collect())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn generations_differ_in_views_status_and_instances(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let old = vec![
        single("same", "{}", 1),
        single("renamed", r#"{"title":"a"}"#, 1),
        single("moved", "{}", 1),
        single("gone", "{}", 1),
        single("far", "{}", 200),
        series("expanded later", -30..390),
        series("ended", -30..-25),
        series("excluded", -30..390),
        series("cancelled", [1, 2, 3]),
    ];
    let new = vec![
        single("same", "{}", 1),
        single("renamed", r#"{"title":"b"}"#, 1),
        single("moved", "{}", 2),
        single("far", "{}", 201),
        single("new", "{}", 1),
        series("expanded later", -20..400),
        series("ended", []),
        series("excluded", (-30..390).filter(|day| *day != 7)),
        series("cancelled", [1, 2, 3]),
        cancelled("cancelled_20300101T090000Z", "cancelled"),
    ];
    write(&mut conn, id, 1, old).await;
    write(&mut conn, id, 2, new).await;
    let found = compare(&mut conn, comparison(id)).await.unwrap();
    assert_eq!(
        found,
        [
            "cancelled alive 1",
            "excluded alive 1",
            "far alive 0",
            "gone gone 0",
            "moved alive 1",
            "new alive 1",
            "renamed alive 1"
        ]
    );
    let all = Comparison {
        all: true,
        ..comparison(id)
    };
    let found = compare(&mut conn, all).await.unwrap();
    assert_eq!(found.len(), 10);
    assert!(found.contains(&"ended gone 0".to_owned()));
    let none = Comparison {
        new: 1,
        ..comparison(id)
    };
    assert_eq!(compare(&mut conn, none).await.unwrap(), [""; 0]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn differences_are_bounded_by_their_number_and_bytes(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(388));
    let mut all: Vec<_> = (0..2).map(|n| single(&n.to_string(), &long, n)).collect();
    all.push(single("far", &long, 300));
    write(&mut conn, id, 2, all).await;
    let bounded = |max_series, max_bytes| Comparison {
        max_series,
        max_bytes,
        ..comparison(id)
    };
    let mut found = async |compared| compare(&mut conn, compared).await.is_some();
    assert!(found(bounded(3, 800)).await, "the view far away is not sent");
    assert!(!found(bounded(2, 800)).await);
    assert!(!found(bounded(3, 799)).await);
    let unconverted = "update events set view = null where event_id = '1'";
    sqlx::query(unconverted).execute(&pool).await.unwrap();
    assert!(!found(bounded(3, 800)).await);
}
