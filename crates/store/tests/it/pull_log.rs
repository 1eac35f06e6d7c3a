//! The pull log: its entries, and how long they are kept.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::{PgConnection, PgPool};
use store::outbox::{self, Accepted};
use store::pull_log::{self, Entry, NewEntry, Outcome};
use store::sync_state::{self, Cause, Kind, Pull};
use store::{calendars, intake, poll, user_stream};

const LEASE: Duration = Duration::from_mins(1);

fn now() -> DateTime<Utc> {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A selected calendar of a user, due for the first time.
async fn calendar_of(conn: &mut PgConnection, name: &str) -> (ConnectionId, CalendarId) {
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
    let calendar = CalendarId::generate();
    sqlx::query(
        "insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, selected,
                                created_at, updated_at)
         values ($1, $2, $3, 'team', 'Team', 'UTC', 'owner', true, now(), now())",
    )
    .bind(calendar.as_uuid())
    .bind(connection.as_uuid())
    .bind(name)
    .execute(&mut *conn)
    .await
    .unwrap();
    sync_state::create(
        conn,
        now(),
        calendar.into(),
        Kind::Events,
        connection,
        &user(name),
    )
    .await
    .unwrap();
    (connection, calendar)
}

async fn take(conn: &mut PgConnection) -> Pull {
    sync_state::acquire(conn, LEASE, 1).await.unwrap().pop().unwrap()
}

/// Settles everything without a pull.
async fn clean(conn: &mut PgConnection) {
    sqlx::query("update sync_state set synced_seq = dirty_seq, lease_token = null, leased_until = null")
        .execute(conn)
        .await
        .unwrap();
}

fn entry(at: DateTime<Utc>, outcome: Outcome<'_>, seq: Option<i64>) -> NewEntry<'_> {
    NewEntry {
        started_at: at - TimeDelta::milliseconds(200),
        at,
        outcome,
        pages: 1,
        changed: usize::from(seq.is_some()),
        deleted: 0,
        seq,
    }
}

async fn recent(conn: &mut PgConnection, name: &str) -> Vec<Entry> {
    pull_log::recent(conn, &user(name), None, 100).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_has_the_first_cause_and_its_time(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (connection, calendar) = calendar_of(&mut conn, "alice").await;
    let alice = user("alice");
    let asked = async |conn: &mut PgConnection| {
        let pull = take(conn).await;
        clean(conn).await;
        (pull.cause, pull.asked_at)
    };
    // Further requests while it is waiting change nothing: its pull covers them.
    intake::mark_pushed(&mut conn, after(1), &[calendar.into()], &[])
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Initial, Some(now())));

    intake::mark_pushed(&mut conn, after(2), &[calendar.into()], &[])
        .await
        .unwrap();
    sync_state::mark_dirty_of_user(&mut conn, after(3), &alice, None)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Push, Some(after(2))));

    sync_state::mark_dirty_of_user(&mut conn, after(4), &alice, None)
        .await
        .unwrap();
    intake::mark_pushed(&mut conn, after(5), &[calendar.into()], &[])
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Manual, Some(after(4))));

    let (often, limit) = (Duration::from_mins(5), 10);
    poll::mark_due(&mut conn, after(6), often, often, limit)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Poll, Some(after(6))));

    sync_state::mark_dirty_on_view(&mut conn, after(90), &alice)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::View, Some(after(90))));

    sync_state::mark_dirty(&mut conn, after(91), &[calendar.into()], Cause::Watch)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Watch, Some(after(91))));

    sync_state::resume_connection(&mut conn, after(92), connection)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Manual, Some(after(92))));

    // A push under a worker's hands is the cause of the pull that follows.
    sync_state::mark_dirty_of_user(&mut conn, after(93), &alice, None)
        .await
        .unwrap();
    assert_eq!(take(&mut conn).await.cause, Cause::Manual);
    intake::mark_pushed(&mut conn, after(94), &[calendar.into()], &[])
        .await
        .unwrap();
    sqlx::query("update sync_state set lease_token = null, leased_until = null")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(asked(&mut conn).await, (Cause::Push, Some(after(94))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn empty_pulls_share_an_entry_and_a_hundred_are_kept(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    calendar_of(&mut conn, "alice").await;
    let pull = take(&mut conn).await;
    let poll = Pull {
        cause: Cause::Poll,
        ..pull.clone()
    };
    let count = async |conn: &mut PgConnection| recent(conn, "alice").await.len();
    for second in 1..=50 {
        let round = entry(after(second), Outcome::NoChange, None);
        pull_log::record(&mut conn, &poll, round).await.unwrap();
    }
    let [round] = &recent(&mut conn, "alice").await[..] else {
        panic!("one row for all of them")
    };
    assert_eq!((round.number, round.times, round.pages), (1, 50, 50));
    assert_eq!((round.committed_at, round.last_at), (after(1), after(50)));
    // Entries with another cause or outcome, or with a message, are separate.
    pull_log::record(&mut conn, &pull, entry(after(51), Outcome::NoChange, None))
        .await
        .unwrap();
    assert_eq!(count(&mut conn).await, 2);
    for second in 52..=53 {
        let failed = entry(after(second), Outcome::Failed("transient"), None);
        pull_log::record(&mut conn, &pull, failed).await.unwrap();
    }
    assert_eq!(count(&mut conn).await, 3);
    for seq in 1..=2 {
        let told = entry(after(53 + seq), Outcome::Ok, Some(seq));
        pull_log::record(&mut conn, &pull, told).await.unwrap();
    }
    assert_eq!(count(&mut conn).await, 5);
    pull_log::record(&mut conn, &poll, entry(after(56), Outcome::NoChange, None))
        .await
        .unwrap();
    assert_eq!(count(&mut conn).await, 6, "only the previous entry is counted up");

    for seq in 3..=300 {
        let told = entry(after(60 + seq), Outcome::Ok, Some(seq));
        pull_log::record(&mut conn, &pull, told).await.unwrap();
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from sync_rounds")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let recent = recent(&mut conn, "alice").await;
    assert_eq!((kept, recent.len()), (100, 100));
    assert_eq!((recent[0].seq, recent[99].seq), (Some(300), Some(201)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_entry_gets_the_publication_time_of_its_message(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    calendar_of(&mut conn, "alice").await;
    calendar_of(&mut conn, "bob").await;
    for pull in sync_state::acquire(&mut conn, LEASE, 2).await.unwrap() {
        for at in 1..=2 {
            let seq = user_stream::next_seq(&mut conn, &pull.user_id).await.unwrap();
            outbox::enqueue(&mut conn, after(at), &pull.user_id, seq, b"{}", None)
                .await
                .unwrap();
            let told = entry(after(at), Outcome::Ok, Some(seq));
            pull_log::record(&mut conn, &pull, told).await.unwrap();
        }
    }
    let streams = outbox::acquire(&mut conn, LEASE, 10, 10).await.unwrap();
    let alices = streams
        .iter()
        .find(|stream| stream.lease.key == user("alice"))
        .unwrap();
    let first = Accepted { seq: 1, at: after(3) };
    let settled = outbox::settle(&mut conn, &alices.lease, Some(1), &[first], None)
        .await
        .unwrap();
    let way: Vec<_> = settled.unwrap().iter().map(|told| told.published_at).collect();
    assert_eq!(way, [after(3)]);
    let published = |rounds: Vec<Entry>| rounds.iter().map(|r| r.published_at).collect::<Vec<_>>();
    assert_eq!(
        published(recent(&mut conn, "alice").await),
        [None, Some(after(3))],
        "the newest first"
    );
    assert_eq!(published(recent(&mut conn, "bob").await), [None, None]);

    // A worker that lost the lease changes nothing, and a repeated settle changes nothing.
    let second = Accepted { seq: 2, at: after(9) };
    let lost = outbox::settle(&mut conn, &alices.lease, Some(2), &[second], None).await;
    assert_eq!(lost.unwrap(), None);
    assert_eq!(published(recent(&mut conn, "alice").await)[0], None);
    let streams = outbox::acquire(&mut conn, LEASE, 10, 10).await.unwrap();
    let again = [
        Accepted {
            seq: 1,
            at: after(10),
        },
        second,
    ];
    outbox::settle(&mut conn, &streams[0].lease, Some(2), &again, None)
        .await
        .unwrap();
    assert_eq!(
        published(recent(&mut conn, "alice").await),
        [Some(after(9)), Some(after(3))]
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn entries_belong_to_a_user_and_their_calendar(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (connection, calendar) = calendar_of(&mut conn, "alice").await;
    let pull = take(&mut conn).await;
    pull_log::record(&mut conn, &pull, entry(after(1), Outcome::Listed, Some(1)))
        .await
        .unwrap();
    assert_eq!(recent(&mut conn, "alice").await.len(), 1);
    assert!(recent(&mut conn, "bob").await.is_empty());
    let named = pull_log::recent(&mut conn, &user("bob"), Some(&[calendar]), 100).await;
    assert!(named.unwrap().is_empty(), "not even by its id");
    calendars::select(&mut conn, now(), &user("alice"), &[calendar], false)
        .await
        .unwrap();
    assert!(recent(&mut conn, "alice").await.is_empty(), "not selected");
    let named = pull_log::recent(&mut conn, &user("alice"), Some(&[calendar]), 100).await;
    assert_eq!(named.unwrap().len(), 1);

    sqlx::query("delete from connections where id = $1")
        .bind(connection.as_uuid())
        .execute(&mut *conn)
        .await
        .unwrap();
    // A pull still in progress writes nothing, without an error.
    pull_log::record(&mut conn, &pull, entry(after(2), Outcome::NoChange, None))
        .await
        .unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from sync_rounds")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
