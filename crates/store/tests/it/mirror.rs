//! The queue of pulls, the mirror and the reads, against a real Postgres.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use common::lease::Settled;
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use store::events::{NewEvent, Walk};
use store::occurrences::{NewOccurrence, Place, Span};
use store::sync_state::{self, Cause, Horizon, Kind, Progress, Pull};
use store::{calendars, events, occurrences, outbox, user_stream};

const LEASE: Duration = Duration::from_mins(1);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-11-22T09:00:00Z")
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A connection of a user with one selected calendar, whose events are due.
async fn calendar_of(conn: &mut PgConnection, name: &str) -> CalendarId {
    let connection = ConnectionId::generate();
    sqlx::query(
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         values ($1, $2, $2, 'a@example.com', '{}', now(), now())",
    )
    .bind(connection.as_uuid())
    .bind(name)
    .execute(&mut *conn)
    .await
    .unwrap();
    let listed = calendars::Listed {
        google_id: "shared@group.calendar.google.com".into(),
        summary: "Team".into(),
        description: None,
        time_zone: "Europe/Berlin".into(),
        color_id: None,
        background_color: None,
        foreground_color: None,
        access_role: "owner".into(),
        is_primary: true,
        selected: true,
    };
    let user = user(name);
    let upserted = calendars::upsert(conn, now(), connection, &user, &[listed])
        .await
        .unwrap();
    let id = upserted[0].id;
    sync_state::create(conn, now(), id.into(), Kind::Events, connection, &user)
        .await
        .unwrap();
    id
}

async fn take(conn: &mut PgConnection) -> Option<Pull> {
    sync_state::acquire(conn, LEASE, 1).await.unwrap().pop()
}

fn progress(generation: i64) -> Progress<'static> {
    Progress {
        sync_token: "token",
        page_size: None,
        generation,
        horizon: Horizon::AsBefore,
        pulled_at: now(),
        changed: true,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_during_a_pull_makes_it_due_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    // Dirty and not leased: whoever takes it will see this too, so nothing is written.
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        0
    );
    let pull = take(&mut conn).await.unwrap();
    assert!(take(&mut conn).await.is_none(), "a leased row is not taken twice");
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap(),
        Settled::Again
    );
    let pull = take(&mut conn).await.unwrap();
    assert_eq!(
        (pull.sync_token.as_deref(), pull.generation, pull.lease.attempts),
        (Some("token"), 1, 1)
    );
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap(),
        Settled::Done
    );
    assert!(take(&mut conn).await.is_none());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_bump_under_an_expired_lease_is_written(pool: PgPool) {
    // Its holder may still be at work on what it saw before: were the bump left out, its settle would cover it.
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    take(&mut conn).await.unwrap();
    sqlx::query("update sync_state set leased_until = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        1
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_worker_that_lost_its_lease_can_do_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    calendar_of(&mut conn, "alice").await;
    let slow = take(&mut conn).await.unwrap();
    sqlx::query("update sync_state set leased_until = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let quick = take(&mut conn).await.unwrap();
    assert_eq!(quick.lease.attempts, 2);
    assert!(
        !sync_state::extend_lease(&mut conn, &slow.lease, LEASE)
            .await
            .unwrap()
    );
    assert_eq!(
        sync_state::begin_generation(&mut conn, &slow.lease)
            .await
            .unwrap(),
        None
    );
    assert!(
        !sync_state::hold_sweep(&mut conn, &slow.lease, b"digest")
            .await
            .unwrap()
    );
    assert!(
        !sync_state::defer(&mut conn, &slow.lease, LEASE, "transient")
            .await
            .unwrap()
    );
    assert_eq!(
        sync_state::settle(&mut conn, &slow, progress(1)).await.unwrap(),
        Settled::Lost
    );
    assert_eq!(
        sync_state::settle(&mut conn, &quick, progress(1)).await.unwrap(),
        Settled::Done
    );
}

/// A push during a pull wakes workers who find the resource taken. They are woken once more, or it would wait for a poll.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_due_again_wakes_the_workers(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
        .await
        .unwrap();
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("calwire_dirty").await.unwrap();
    let settled = sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    assert_eq!(settled, Settled::Again);
    let woken = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert!(woken.is_ok_and(|woken| woken.is_ok()), "nobody is woken");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_due_after_its_series_were_expanded_wakes_the_workers(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    let expanding = sync_state::acquire_behind_horizon(&mut conn, now(), LEASE, &[])
        .await
        .unwrap()
        .unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Push)
        .await
        .unwrap();
    assert!(take(&mut conn).await.is_none());
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("calwire_dirty").await.unwrap();
    let settled = sync_state::settle_horizon(&mut conn, &expanding.lease, Horizon::AsBefore)
        .await
        .unwrap();
    assert_eq!(settled, Settled::Again);
    let woken = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert!(woken.is_ok_and(|woken| woken.is_ok()), "nobody is woken");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_deferred_or_suspended_waits(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    assert!(
        sync_state::defer(&mut conn, &pull.lease, LEASE, "transient")
            .await
            .unwrap()
    );
    assert!(take(&mut conn).await.is_none());
    sync_state::resume(&mut conn, now(), &[id]).await.unwrap();
    let pull = take(&mut conn).await.unwrap();
    assert!(
        sync_state::suspend(&mut conn, &pull.lease, "scope_missing")
            .await
            .unwrap()
    );
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
        .await
        .unwrap();
    assert!(take(&mut conn).await.is_none());
    let evidence = calendars::evidence(&mut conn, now(), &user("alice"), None)
        .await
        .unwrap();
    assert!(evidence[0].suspended);
    assert_eq!(evidence[0].last_error.as_deref(), Some("scope_missing"));
    sync_state::resume_connection(&mut conn, now(), pull.connection_id)
        .await
        .unwrap();
    assert_eq!(take(&mut conn).await.unwrap().lease.attempts, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_write_kept_before_the_first_listing_is_purged(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    events::upsert(&mut conn, id, 0, &[event("written", "1", 0)])
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let built = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(&mut conn, id, built, &[event("written", "1", 0)])
        .await
        .unwrap();
    sync_state::settle(&mut conn, &pull, progress(built))
        .await
        .unwrap();

    while events::purge_stale(&mut conn, 1).await.unwrap() > 0 {}
    let left: Vec<i64> = sqlx::query_scalar("select generation from events")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, [built]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_generation_given_up_is_purged_and_never_used_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let pull = take(&mut conn).await.unwrap();
    let given_up = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(&mut conn, id, given_up, &[event("a", "1", 0)])
        .await
        .unwrap();
    let built = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    assert!(built > given_up);
    events::upsert(&mut conn, id, built, &[event("a", "1", 0)])
        .await
        .unwrap();
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(built))
            .await
            .unwrap(),
        Settled::Done
    );

    // A pull by the token, which is good after all, gives up a generation as well.
    sync_state::mark_dirty(&mut conn, now(), &[id.into()], Cause::Manual)
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let given_up = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(&mut conn, id, given_up, &[event("deleted meanwhile", "1", 0)])
        .await
        .unwrap();
    sync_state::settle(&mut conn, &pull, progress(built))
        .await
        .unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id.into()], Cause::Manual)
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let next = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    assert!(next > given_up, "its rows may still be there");

    while events::purge_stale(&mut conn, 1).await.unwrap() > 0 {}
    let left: Vec<i64> = sqlx::query_scalar("select generation from events")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, [built]);
}

fn event(id: &str, etag: &str, minutes: i64) -> NewEvent {
    NewEvent {
        event_id: id.into(),
        etag: etag.into(),
        status: "confirmed".into(),
        updated: Some(now() + TimeDelta::minutes(minutes)),
        ical_uid: None,
        recurring_event_id: None,
        original_start: None,
        recurrence: vec![],
        raw: format!(r#"{{"id":"{id}"}}"#),
        problem: None,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_older_version_never_replaces_a_newer_one(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let etag_after = async |conn: &mut PgConnection, event: NewEvent| {
        events::upsert(conn, id, 1, &[event]).await.unwrap();
        events::versions(conn, id, 1, &["a".into()]).await.unwrap()[0]
            .etag
            .clone()
    };
    assert_eq!(etag_after(&mut conn, event("a", "new", 5)).await, "new");
    assert_eq!(etag_after(&mut conn, event("a", "old", 4)).await, "new");
    // Google leaves the time alone when only reminders changed.
    assert_eq!(etag_after(&mut conn, event("a", "newer", 5)).await, "newer");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_walk_visits_each_series_once_and_orphaned_exceptions_too(pool: PgPool) {
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
async fn a_read_has_what_touches_the_span_of_the_current_generation_and_of_nobody_else(pool: PgPool) {
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
    let span = Span {
        from: now(),
        to: at("2026-11-22T23:00:00Z"),
        first_day: "2026-11-22".parse().unwrap(),
        day_after_last: "2026-11-23".parse().unwrap(),
    };
    let mut ids = async |user: &UserId, calendars: Option<&[CalendarId]>, limit| {
        let mut found: Vec<_> = occurrences::within(&mut conn, user, span, calendars, limit)
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
    )
    .await
    .unwrap();
    assert_eq!(touched, 2, "one went, one moved, one stayed as it was");
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
async fn a_calendar_that_leaves_the_list_comes_back_as_new_work(pool: PgPool) {
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
