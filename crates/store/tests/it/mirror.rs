//! The mirrored events and calendars, and the order of messages.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use store::events::{NewEvent, Walk};
use store::{calendars, events, outbox, user_stream};

use crate::support::{calendar_of, event, now, user};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_older_version_never_replaces_a_newer_one(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let etag_after = async |conn: &mut PgConnection, event: NewEvent| {
        events::upsert(conn, id, 1, std::slice::from_ref(&event))
            .await
            .unwrap();
        let incoming = std::iter::once(&event);
        events::versions(conn, id, 1, incoming).await.unwrap()[0]
            .etag
            .clone()
    };
    assert_eq!(etag_after(&mut conn, event("a", "new", 5)).await, "new");
    assert_eq!(etag_after(&mut conn, event("a", "old", 4)).await, "new");
    // Google does not change the time when only reminders changed.
    assert_eq!(etag_after(&mut conn, event("a", "newer", 5)).await, "newer");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_walk_visits_each_series_and_orphaned_exceptions_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let exception = |id: &str, master: &str| NewEvent {
        recurring_event_id: Some(master.into()),
        ..event(id, "1", 0)
    };
    let master = NewEvent {
        recurrence: vec!["RRULE:FREQ=DAILY".into(), "EXDATE:20261123T090000Z".into()],
        ..event("m", "1", 0)
    };
    let all = [
        master,
        exception("m_1", "m"),
        exception("x_1", "x"),
        exception("x_2", "x"),
        event("z", "1", 0),
    ];
    events::upsert(&mut conn, id, 1, &all).await.unwrap();
    let mut walk = async |walk| {
        let (mut after, mut visited) = (String::new(), vec![]);
        while let Some(next) = events::series_after(&mut conn, id, 1, walk, &after, 1)
            .await
            .unwrap()
            .pop()
        {
            after.clone_from(&next);
            visited.push(next);
        }
        visited
    };
    assert_eq!(walk(Walk::Recurring).await, ["m", "x"]);
    assert_eq!(walk(Walk::Everything).await, ["m", "x", "z"]);
    let stored = events::of_series(&mut conn, id, 1, &["m".into(), "x".into()])
        .await
        .unwrap();
    assert_eq!(stored.len(), 4);
    events::delete(&mut conn, id, 1, &["m".into()]).await.unwrap();
    assert!(
        events::of_series(&mut conn, id, 1, &["m".into()])
            .await
            .unwrap()
            .is_empty()
    );
}

/// How many events the statements of a transaction have read.
async fn events_read(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables where relname = 'events'",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn split_series_are_found_without_reading_the_calendar(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (id, other) = (
        calendar_of(&mut conn, "alice").await,
        calendar_of(&mut conn, "bob").await,
    );
    let master = |id: &str| NewEvent {
        recurrence: vec!["RRULE:FREQ=DAILY".into()],
        ..event(id, "1", 0)
    };
    let mut all: Vec<NewEvent> = (0..2_000)
        .flat_map(|n| {
            [
                event(&format!("single{n}"), "1", 0),
                master(&format!("master{n}")),
            ]
        })
        .collect();
    let split = [
        "master7_R20261201T090000",
        "master7_R20261101",
        "master77_R20261201",
        "maste_R20261201",
        "other_R20261201",
    ];
    all.extend(split.map(master));
    all.push(event("master7_R20270101", "1", 0));
    events::upsert(&mut conn, id, 1, &all).await.unwrap();
    events::upsert(&mut conn, id, 2, &split.map(master))
        .await
        .unwrap();
    events::upsert(&mut conn, other, 1, &split.map(master))
        .await
        .unwrap();
    sqlx::query("analyze events").execute(&mut *conn).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let firsts = ["master7".to_owned(), "other".into(), "master8".into()];
    assert_eq!(
        events::split_off(&mut tx, id, 1, &firsts).await.unwrap(),
        ["master7_R20261101", "master7_R20261201T090000", "other_R20261201"]
    );
    let read = events_read(&mut tx).await;
    assert!(read <= 5, "{read} of {} events were read", all.len());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_listings_that_lack_the_same_events_agree(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let cancelled = NewEvent {
        status: "cancelled".into(),
        ..event("d", "1", 0)
    };
    events::upsert(
        &mut conn,
        id,
        1,
        &[
            event("a", "1", 0),
            event("b", "1", 0),
            event("c", "1", 0),
            cancelled,
        ],
    )
    .await
    .unwrap();
    events::upsert(&mut conn, id, 2, &[event("a", "1", 0)])
        .await
        .unwrap();
    events::upsert(&mut conn, id, 3, &[event("a", "2", 0), event("e", "1", 0)])
        .await
        .unwrap();
    let first = events::sweep(&mut conn, id, 1, 2).await.unwrap();
    assert_eq!((first.before, first.lost), (3, 2));
    assert_eq!(
        events::sweep(&mut conn, id, 1, 3).await.unwrap().digest,
        first.digest
    );
    events::upsert(&mut conn, id, 3, &[event("b", "1", 0)])
        .await
        .unwrap();
    assert_ne!(
        events::sweep(&mut conn, id, 1, 3).await.unwrap().digest,
        first.digest
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn seqs_rise_by_one_in_commit_order(pool: PgPool) {
    let alice = user("alice");
    let mut first = pool.begin().await.unwrap();
    assert_eq!(user_stream::next_seq(&mut first, &alice).await.unwrap(), 1);
    outbox::enqueue(&mut first, now(), &alice, 1, b"{}", None)
        .await
        .unwrap();
    let second = tokio::spawn({
        let (pool, alice) = (pool.clone(), alice.clone());
        async move {
            let mut tx = pool.begin().await.unwrap();
            let seq = user_stream::next_seq(&mut tx, &alice).await.unwrap();
            tx.commit().await.unwrap();
            seq
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        !second.is_finished(),
        "the seq after an uncommitted one has to wait"
    );
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), 2);
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(user_stream::position(&mut conn, &alice).await.unwrap().seq, 2);
    assert_eq!(
        user_stream::position(&mut conn, &user("bob")).await.unwrap().seq,
        0
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_calendar_that_returns_to_the_list_is_pulled(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let calendar = calendars::get(&mut conn, &user("alice"), id)
        .await
        .unwrap()
        .unwrap();
    assert!(
        calendars::get(&mut conn, &user("bob"), id)
            .await
            .unwrap()
            .is_none()
    );
    let listed = calendars::Listed {
        google_id: calendar.google_id.clone(),
        summary: calendar.summary.clone(),
        description: None,
        time_zone: calendar.time_zone.clone(),
        color_id: None,
        background_color: None,
        foreground_color: None,
        access_role: calendar.access_role.clone(),
        is_primary: true,
        selected: false,
    };
    let mut upsert = async |listed: &calendars::Listed| {
        calendars::upsert(
            &mut conn,
            now(),
            calendar.connection_id,
            &calendar.user_id,
            std::slice::from_ref(listed),
        )
        .await
        .unwrap()
    };
    assert!(
        upsert(&listed).await.is_empty(),
        "Google's tick decides about new calendars alone"
    );
    let moved = calendars::Listed {
        time_zone: "Asia/Tokyo".into(),
        ..listed.clone()
    };
    let upserted = upsert(&moved).await;
    assert!(upserted[0].needs_reexpansion && !upserted[0].begins);
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(
        calendars::lose_access_to_others(&mut conn, now(), calendar.connection_id, &[])
            .await
            .unwrap(),
        [id]
    );
    let mut upsert = async |listed: &calendars::Listed| {
        calendars::upsert(
            &mut conn,
            now(),
            calendar.connection_id,
            &calendar.user_id,
            std::slice::from_ref(listed),
        )
        .await
        .unwrap()
    };
    let upserted = upsert(&moved).await;
    assert!(upserted[0].begins && upserted[0].selected && !upserted[0].needs_reexpansion);
}
