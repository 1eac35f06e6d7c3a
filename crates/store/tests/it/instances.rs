//! Reading and replacing the instances of events.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::{PgConnection, PgPool};
use store::events::NewEvent;
use store::events::Unconverted;
use store::instances::{self, NewInstances, Place, ReadRange};
use store::{events, sync_state};

use crate::support::{at, calendar_of, event, now, progress, take, user};

fn single(id: &str, from: &str, to: &str) -> NewInstances {
    let (starts_at, ends_at) = (at(from), at(to));
    NewInstances {
        event_id: id.into(),
        series_id: id.into(),
        is_master: false,
        starts_at,
        ends_at,
        is_all_day: false,
        starts: vec![starts_at],
        length: (ends_at - starts_at).num_seconds(),
        cut_at: None,
    }
}

fn all_day(id: &str, first: &str, after_last: &str) -> NewInstances {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    NewInstances {
        is_all_day: true,
        starts: vec![day(first).and_time(NaiveTime::MIN).and_utc()],
        // Midnight in Berlin.
        ..single(
            id,
            &format!("{}T23:00:00Z", day(first).pred_opt().unwrap()),
            &format!("{}T23:00:00Z", day(after_last).pred_opt().unwrap()),
        )
    }
}

/// Writes these events with their instances.
async fn write(conn: &mut PgConnection, place: Place<'_>, rows: &[NewInstances]) -> u64 {
    let stored: Vec<_> = rows.iter().map(|row| event(&row.event_id, "1", 0)).collect();
    events::upsert(conn, place.calendar, place.generation, &stored)
        .await
        .unwrap();
    let series: Vec<String> = rows.iter().map(|row| row.series_id.clone()).collect();
    instances::replace_series(conn, place, &series, rows)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_read_has_the_overlapping_instances_of_its_user(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (alice, bob) = (user("alice"), user("bob"));
    let (mine, his) = (
        calendar_of(&mut conn, "alice").await,
        calendar_of(&mut conn, "bob").await,
    );
    let pull = take(&mut conn).await.unwrap();
    let other = take(&mut conn).await.unwrap();
    for pull in [pull, other] {
        sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    }
    let rows = [
        single("ended", "2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z"),
        single("running", "2026-11-22T08:30:00Z", "2026-11-22T09:30:00Z"),
        single(
            "running for weeks",
            "2026-11-01T08:30:00Z",
            "2026-12-24T09:30:00Z",
        ),
        single("long over", "2026-10-01T08:30:00Z", "2026-11-20T09:30:00Z"),
        single("a moment", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        single("last", "2026-11-22T22:59:00Z", "2026-11-23T09:00:00Z"),
        single("in two days", "2026-11-24T23:00:00Z", "2026-11-25T09:00:00Z"),
        all_day("a week ago", "2026-11-15", "2026-11-16"),
        all_day("today all day", "2026-11-22", "2026-11-23"),
        all_day("a month of days", "2026-11-01", "2026-12-01"),
        all_day("in a week", "2026-11-29", "2026-11-30"),
    ];
    let place = |user, calendar, generation| Place {
        user,
        calendar,
        generation,
    };
    assert_eq!(write(&mut conn, place(&alice, mine, 1), &rows).await, 11);
    assert_eq!(
        write(&mut conn, place(&alice, mine, 1), &rows).await,
        0,
        "no change, no row"
    );
    let at_ten = |id| single(id, "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
    write(&mut conn, place(&alice, mine, 2), &[at_ten("unread")]).await;
    write(&mut conn, place(&bob, his, 1), &[at_ten("his")]).await;
    let hidden = [("not shown".to_owned(), String::new())];
    write(&mut conn, place(&alice, mine, 1), &[at_ten("not shown")]).await;
    events::set_views(&mut conn, mine, 1, &hidden).await.unwrap();
    let range = ReadRange {
        from: now(),
        to: at("2026-11-22T23:00:00Z"),
    };
    let mut ids = async |user: &UserId, calendars: Option<&[CalendarId]>, limit| {
        let mut found: Vec<_> = instances::within(&mut conn, user, range, calendars, limit)
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.event_id)
            .collect();
        found.sort();
        found
    };
    assert_eq!(
        ids(&alice, None, 100).await,
        [
            "a moment",
            "a month of days",
            "last",
            "running",
            "running for weeks",
            "today all day"
        ]
    );
    assert_eq!(
        ids(&alice, Some(&[mine]), 1).await,
        ["a month of days", "running for weeks", "today all day"],
        "the first short one, and all long ones"
    );
    assert!(ids(&alice, Some(&[his]), 100).await.is_empty());
    assert_eq!(ids(&bob, Some(&[his, mine]), 100).await, ["his"]);
}

fn series(hours: &[u32]) -> NewInstances {
    let starts: Vec<DateTime<Utc>> = hours
        .iter()
        .map(|hour| at(&format!("2026-11-22T{hour:02}:00:00Z")))
        .collect();
    NewInstances {
        series_id: "m".into(),
        is_master: true,
        starts_at: starts[0],
        starts,
        ..single("m", "2026-11-22T08:00:00Z", "2026-11-22T20:00:00Z")
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_series_is_replaced_as_a_whole(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let alice = user("alice");
    let place = Place {
        user: &alice,
        calendar: calendar_of(&mut conn, "alice").await,
        generation: 1,
    };
    let exception = |id: &str, hour: u32| NewInstances {
        is_master: false,
        event_id: id.into(),
        ..series(&[hour])
    };
    write(
        &mut conn,
        place,
        &[series(&[9, 10]), exception("m_1", 11), exception("m_2", 12)],
    )
    .await;
    let mut replace = async |rows: &[NewInstances]| {
        instances::replace_series(&mut conn, place, &["m".into()], rows)
            .await
            .unwrap()
    };
    let touched = replace(&[series(&[9, 10]), exception("m_1", 13)]).await;
    assert_eq!(touched, 2, "one deleted, one moved, one unchanged");
    assert_eq!(replace(&[series(&[9, 10, 14])]).await, 2);
    assert_eq!(replace(&[]).await, 1);
}

async fn next(conn: &mut PgConnection) -> Option<Unconverted> {
    let first = uuid::Uuid::nil().into();
    events::next_unconverted(conn, first, 10).await.unwrap()
}

/// A service of the version before writes an event without its view.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_without_a_view_waits_for_its_conversion(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let alice = user("alice");
    let calendar = calendar_of(&mut conn, "alice").await;
    let pull = take(&mut conn).await.unwrap();
    sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    let place = Place {
        user: &alice,
        calendar,
        generation: 1,
    };
    let lunch = single("lunch", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
    write(&mut conn, place, &[lunch]).await;
    assert_eq!(next(&mut conn).await, None);
    sqlx::query("update events set raw = raw || '{\"etag\": \"2\"}'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let waiting = next(&mut conn).await.unwrap();
    assert_eq!(
        (waiting.calendar, &*waiting.series),
        (calendar, &["lunch".to_owned()][..])
    );
    let of_user = events::unconverted(&mut conn, &alice, None).await.unwrap();
    assert_eq!(of_user, [waiting]);
    let views = [("lunch".to_owned(), "{}".to_owned())];
    let settle = async |conn: &mut PgConnection| {
        events::settle_unconverted(conn, calendar, 1).await.unwrap();
    };
    settle(&mut conn).await;
    assert!(next(&mut conn).await.is_some(), "not before it is converted");
    events::set_views(&mut conn, calendar, 1, &views).await.unwrap();
    settle(&mut conn).await;
    assert_eq!(next(&mut conn).await, None);

    // A cancelled event stays converted.
    let cancelled = [NewEvent {
        status: "cancelled".into(),
        view: String::new(),
        ..event("lunch", "3", 1)
    }];
    for etag in ["3", "4"] {
        let changed = cancelled.clone().map(|one| NewEvent {
            etag: etag.into(),
            raw: format!(r#"{{"id":"lunch","etag":"{etag}"}}"#),
            ..one
        });
        events::upsert(&mut conn, calendar, 1, &changed).await.unwrap();
        assert!(
            events::unconverted(&mut conn, &alice, None)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
