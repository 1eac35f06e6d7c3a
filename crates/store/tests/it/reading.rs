//! All that a read shows, in one statement for several users.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use common::ids::UserId;
use sqlx::{PgConnection, PgPool};
use store::instances::{self, FoundEvent, NewInstances, Place, ReadRange};
use store::reading::{self, Load, Reading, Request};
use store::{calendars, connections, events, user_stream};

use crate::support::{at, calendar_of, event, now, user};

const RANGE: (&str, &str) = ("2026-11-22T09:00:00Z", "2026-11-30T00:00:00Z");

fn range() -> ReadRange {
    ReadRange {
        from: at(RANGE.0),
        to: at(RANGE.1),
    }
}

fn request(user: &UserId, load: bool) -> Request {
    Request {
        user: user.clone(),
        with_queue: true,
        load: load.then_some(Load {
            unless: None,
            range: range(),
            limit: 10,
        }),
    }
}

async fn with_event(conn: &mut PgConnection, name: &str) -> UserId {
    let (user, calendar) = (user(name), calendar_of(conn, name).await);
    let stored = event("lunch", "1", 0);
    events::upsert(conn, calendar, 0, std::slice::from_ref(&stored))
        .await
        .unwrap();
    let views = [("lunch".to_owned(), format!(r#"{{"title":"{name}"}}"#))];
    events::set_views(conn, calendar, 0, &views).await.unwrap();
    let row = NewInstances {
        event_id: "lunch".into(),
        series_id: "lunch".into(),
        is_master: false,
        starts_at: at("2026-11-23T12:00:00Z"),
        ends_at: at("2026-11-23T13:00:00Z"),
        is_all_day: false,
        starts: vec![at("2026-11-23T12:00:00Z")],
        length: 3_600,
        cut_at: None,
    };
    let place = Place {
        user: &user,
        calendar,
        generation: 0,
    };
    instances::replace_series(conn, place, &["lunch".into()], &[row])
        .await
        .unwrap();
    user_stream::next_seq(conn, &user).await.unwrap();
    user
}

/// The same by the statements that it replaces.
async fn separately(conn: &mut PgConnection, user: &UserId) -> Reading {
    let evidence = calendars::evidence(conn, now(), user, None).await.unwrap();
    let own = calendars::of_user(conn, user).await.unwrap();
    let read = own
        .into_iter()
        .zip(evidence)
        .map(|(calendar, evidence)| reading::CalendarReading {
            calendar,
            evidence,
            generation: Some(0),
            is_converting: false,
        });
    Reading {
        position: user_stream::position(conn, user).await.unwrap(),
        connections: connections::of_user(conn, user).await.unwrap(),
        calendars: read.collect(),
        events: Some(instances::within(conn, user, range(), None, 10).await.unwrap()),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_reading_has_what_separate_statements_read(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (alice, bob, carol) = (
        with_event(&mut conn, "alice").await,
        with_event(&mut conn, "bob").await,
        user("carol"),
    );
    sqlx::query(
        "update sync_state set horizon_until = now(), last_error = 'scope_missing', last_pull_at = now()",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let requests = [request(&alice, true), request(&carol, true), request(&bob, true)];
    let readings = reading::read(&mut conn, now(), &requests).await.unwrap();
    for (user, reading) in [&alice, &carol, &bob].into_iter().zip(&readings) {
        assert_eq!(*reading, separately(&mut conn, user).await);
    }
    let views = |reading: &Reading| -> Vec<String> {
        let events = reading.events.iter().flatten();
        events.map(|event: &FoundEvent| event.view.clone()).collect()
    };
    let expected = [
        vec![r#"{"title":"alice"}"#.to_owned()],
        vec![],
        vec![r#"{"title":"bob"}"#.to_owned()],
    ];
    assert_eq!(readings.iter().map(views).collect::<Vec<_>>(), expected);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn events_are_loaded_only_if_the_stream_has_moved(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let alice = with_event(&mut conn, "alice").await;
    let at = user_stream::position(&mut conn, &alice).await.unwrap();
    let mut known = request(&alice, true);
    known.load.as_mut().unwrap().unless = Some(at);
    let requests = [known, request(&alice, false)];
    let readings = reading::read(&mut conn, now(), &requests).await.unwrap();
    assert!(
        readings
            .iter()
            .all(|reading| reading.events.is_none() && reading.position == at)
    );
    user_stream::next_seq(&mut conn, &alice).await.unwrap();
    let readings = reading::read(&mut conn, now(), &requests).await.unwrap();
    assert_eq!(readings[0].events.as_ref().map(Vec::len), Some(1));
    assert!(
        readings[0].calendars[0].is_converting,
        "it has never been expanded"
    );
}
