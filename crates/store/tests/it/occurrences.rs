//! Reading and replacing the instances of events.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use chrono::NaiveDate;
use common::ids::{CalendarId, UserId};
use sqlx::PgPool;
use store::occurrences::{NewOccurrence, Place, ReadRange};
use store::{occurrences, sync_state};

use crate::support::{at, calendar_of, now, progress, take, user};

fn occurrence(id: &str, from: &str, to: &str) -> NewOccurrence {
    NewOccurrence {
        instance_id: id.into(),
        event_id: id.into(),
        series_id: id.into(),
        starts_at: at(from),
        ends_at: at(to),
        days: None,
        payload: format!(r#"{{"id":"{id}"}}"#),
    }
}

fn all_day(id: &str, first: &str, after_last: &str) -> NewOccurrence {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    NewOccurrence {
        days: Some((day(first), day(after_last))),
        // Midnight in Berlin.
        ..occurrence(
            id,
            &format!("{}T23:00:00Z", day(first).pred_opt().unwrap()),
            &format!("{}T23:00:00Z", day(after_last).pred_opt().unwrap()),
        )
    }
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
        occurrence("ended", "2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z"),
        occurrence("running", "2026-11-22T08:30:00Z", "2026-11-22T09:30:00Z"),
        occurrence(
            "running for weeks",
            "2026-11-01T08:30:00Z",
            "2026-12-24T09:30:00Z",
        ),
        occurrence("a moment", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        occurrence("last", "2026-11-22T22:59:00Z", "2026-11-23T09:00:00Z"),
        occurrence("tomorrow", "2026-11-22T23:00:00Z", "2026-11-23T09:00:00Z"),
        all_day("yesterday all day", "2026-11-21", "2026-11-22"),
        all_day("today all day", "2026-11-22", "2026-11-23"),
        all_day("a month of days", "2026-11-01", "2026-12-01"),
        all_day("tomorrow all day", "2026-11-23", "2026-11-24"),
    ];
    let place = |user, calendar, generation| Place {
        user,
        calendar,
        generation,
    };
    assert_eq!(
        occurrences::upsert(&mut conn, place(&alice, mine, 1), &rows)
            .await
            .unwrap(),
        10
    );
    assert_eq!(
        occurrences::upsert(&mut conn, place(&alice, mine, 1), &rows)
            .await
            .unwrap(),
        0,
        "no change, no row"
    );
    occurrences::upsert(
        &mut conn,
        place(&alice, mine, 2),
        &[occurrence(
            "unread",
            "2026-11-22T10:00:00Z",
            "2026-11-22T11:00:00Z",
        )],
    )
    .await
    .unwrap();
    occurrences::upsert(
        &mut conn,
        place(&bob, his, 1),
        &[occurrence("his", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z")],
    )
    .await
    .unwrap();
    let range = ReadRange {
        from: now(),
        to: at("2026-11-22T23:00:00Z"),
        first_day: "2026-11-22".parse().unwrap(),
        day_after_last: "2026-11-23".parse().unwrap(),
    };
    let mut ids = async |user: &UserId, calendars: Option<&[CalendarId]>, limit| {
        let mut found: Vec<_> = occurrences::within(&mut conn, user, range, calendars, None, limit)
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.instance_id)
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
        ids(&alice, Some(&[mine]), 1).await.len(),
        4,
        "the first of each kind"
    );
    assert!(ids(&alice, Some(&[his]), 100).await.is_empty());
    assert_eq!(ids(&bob, Some(&[his, mine]), 100).await, ["his"]);
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
    let instance = |id: &str, hour: &str| NewOccurrence {
        series_id: "m".into(),
        ..occurrence(id, &format!("2026-11-22T{hour}:00:00Z"), "2026-11-22T20:00:00Z")
    };
    occurrences::upsert(
        &mut conn,
        place,
        &[
            instance("m_1", "09"),
            instance("m_2", "10"),
            instance("m_3", "11"),
        ],
    )
    .await
    .unwrap();
    let touched = occurrences::replace_series(
        &mut conn,
        place,
        &["m".into()],
        &[instance("m_2", "10"), instance("m_3", "12")],
        &[],
    )
    .await
    .unwrap();
    assert_eq!(touched, 2, "one deleted, one moved, one unchanged");
}
