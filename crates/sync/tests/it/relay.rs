//! The relay against a real Postgres and a real Centrifugo.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use centrifugo::testing::Server;
use centrifugo::{Publication, channel_of};
use chrono::{DateTime, Utc};
use common::clock::Clock;
use common::config::SecretKey;
use common::ids::{CalendarId, UserId};
use common::worker::Pass;
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{outbox, user_stream};
use sync::relay::{self, RelayError};

const LEASE: Duration = Duration::from_mins(1);

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// Commits a message for `user`, as a pull does; `text` makes it long.
async fn append(pool: &PgPool, user: &UserId, calendar: CalendarId, text: &str) -> i64 {
    let mut tx = pool.begin().await.unwrap();
    let seq = user_stream::next_seq(&mut tx, user).await.unwrap();
    let message = json!({"v": 2, "seq": seq, "type": "events.changed", "calendarId": calendar, "text": text});
    outbox::enqueue(&mut tx, now(), user, seq, message.to_string().as_bytes(), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seq
}

async fn drain(pool: &PgPool, server: &Server) {
    while relay::run_once(pool, &server.client(), now()).await.unwrap() == Pass::Worked {}
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Ends the backoff of every stream.
async fn end_backoffs(pool: &PgPool) {
    sqlx::query("update user_stream set relay_not_before = '-infinity', relay_leased_until = null")
        .execute(pool)
        .await
        .unwrap();
}

fn seqs(history: &[Value]) -> Vec<i64> {
    history.iter().map(|data| data["seq"].as_i64().unwrap()).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_user_gets_every_message_once_in_order(pool: PgPool) {
    let server = Server::start().await;
    let calendar = CalendarId::generate();
    let users: Vec<_> = (0..40).map(|n| user(&format!("user-{n}"))).collect();
    for round in 0..60 {
        for user in users.iter().take(if round < 3 { 40 } else { 1 }) {
            append(&pool, user, calendar, "").await;
        }
    }
    // Two relays at once, as two replicas would.
    tokio::join!(drain(&pool, &server), drain(&pool, &server));
    end_backoffs(&pool).await;
    drain(&pool, &server).await;

    assert_eq!(count(&pool, "outbox").await, 0);
    assert_eq!(
        seqs(&server.history(&channel_of(&users[0])).await),
        (1..=60).collect::<Vec<_>>()
    );
    for user in &users[1..] {
        assert_eq!(
            seqs(&server.history(&channel_of(user)).await),
            [1, 2, 3],
            "{user}"
        );
    }
    assert_eq!(
        relay::run_once(&pool, &server.client(), now()).await.unwrap(),
        Pass::Idle
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn crash_between_publication_and_deletion_is_invisible(pool: PgPool) {
    let server = Server::start().await;
    let alice = user("alice");
    let channel = channel_of(&alice);
    append(&pool, &alice, CalendarId::generate(), "").await;
    append(&pool, &alice, CalendarId::generate(), "").await;

    // A worker leases the stream, publishes both messages, and dies.
    let mut conn = pool.acquire().await.unwrap();
    let streams = outbox::acquire(&mut conn, LEASE, 10, 10).await.unwrap();
    for message in &streams[0].messages {
        let publication = Publication {
            channel: &channel,
            data: &message.payload,
            idempotency_key: &message.id.to_string(),
            version: message.seq.unsigned_abs(),
            version_epoch: &streams[0].epoch.to_string(),
        };
        server.client().publish(publication).await.unwrap();
    }
    assert_eq!(
        relay::run_once(&pool, &server.client(), now()).await.unwrap(),
        Pass::Idle,
        "the stream is leased"
    );
    end_backoffs(&pool).await;
    drain(&pool, &server).await;
    assert_eq!(seqs(&server.history(&channel).await), [1, 2]);
    assert_eq!(count(&pool, "outbox").await, 0);

    // The worker was only paused. Its lease is no longer valid.
    append(&pool, &alice, CalendarId::generate(), "").await;
    let lost = outbox::settle(&mut conn, &streams[0].lease, Some(3), &[], None).await;
    assert_eq!(lost.unwrap(), None);
    assert_eq!(
        outbox::dead_letter(&mut conn, now(), &streams[0].lease, 3, "late", b"{}")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        (count(&pool, "outbox").await, count(&pool, "dead_letters").await),
        (1, 0)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rejected_message_becomes_dead_letter_and_resync(pool: PgPool) {
    let server = Server::start().await;
    let (alice, bob) = (user("alice"), user("bob"));
    let calendar = CalendarId::generate();
    append(&pool, &alice, calendar, "").await;
    append(&pool, &alice, calendar, &"x".repeat(centrifugo::MAX_DATA_LEN)).await;
    let unreadable = append(&pool, &alice, calendar, "").await;
    append(&pool, &alice, calendar, "").await;
    append(&pool, &bob, calendar, "").await;
    sqlx::query("update outbox set payload = 'not json' where user_id = 'alice' and seq = $1")
        .bind(unreadable)
        .execute(&pool)
        .await
        .unwrap();
    drain(&pool, &server).await;

    let history = server.history(&channel_of(&alice)).await;
    assert_eq!(seqs(&history), [1, 2, 3, 4]);
    assert_eq!(
        history[1],
        json!({"v": 2, "seq": 2, "type": "resync", "calendarId": calendar})
    );
    assert_eq!(history[2], json!({"v": 2, "seq": 3, "type": "calendars.changed"}));
    assert_eq!(seqs(&server.history(&channel_of(&bob)).await), [1]);
    let dead: Vec<(i64, String)> = sqlx::query_as("select seq, reason from dead_letters order by seq")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(dead.len(), 2);
    assert!(dead[0].1.contains("more than 20480"), "{dead:?}");
    assert!(dead[1].1.contains("not JSON"), "{dead:?}");
    assert_eq!(count(&pool, "outbox").await, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn outage_keeps_messages_and_shrinks_a_long_backlog(pool: PgPool) {
    let mut server = Server::start().await;
    let alice = user("alice");
    let (calendar, text) = (CalendarId::generate(), "t".repeat(1_000));
    append(&pool, &alice, calendar, &text).await;
    drain(&pool, &server).await;
    server.kill().await;
    for _ in 0..150 {
        append(&pool, &alice, calendar, &text).await;
    }
    let then = now();
    let away = relay::run_once(&pool, &server.client(), then).await.unwrap_err();
    assert!(
        matches!(away, RelayError::Broker(centrifugo::Error::Transient { .. })),
        "{away}"
    );
    assert_eq!(count(&pool, "outbox").await, 150);
    assert_eq!(count(&pool, "outbox where length(payload) > 256").await, 100);
    // A busy machine may be slower than this backoff.
    sqlx::query("update user_stream set relay_not_before = relay_not_before + interval '1 minute'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(
        relay::run_once(&pool, &server.client(), then).await.unwrap(),
        Pass::Idle,
        "a failed stream backs off"
    );

    server.restart().await;
    end_backoffs(&pool).await;
    drain(&pool, &server).await;
    let history = server.history(&channel_of(&alice)).await;
    assert_eq!(
        seqs(&history),
        (2..=151).collect::<Vec<_>>(),
        "a broker without history accepts the later seqs"
    );
    assert_eq!(
        (&history[99]["text"], &history[99]["type"]),
        (&json!(text), &json!("events.changed"))
    );
    assert_eq!(
        history[100],
        json!({"v": 2, "seq": 102, "type": "resync", "calendarId": calendar})
    );
}

/// Longer than the relay shortens at a time.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn backlog_of_any_length_shrinks(pool: PgPool) {
    let mut server = Server::start().await;
    let alice = user("alice");
    let (calendar, text) = (CalendarId::generate(), "t".repeat(1_000));
    append(&pool, &alice, calendar, &text).await;
    server.kill().await;
    sqlx::query(
        "insert into outbox (user_id, seq, id, payload, created_at)
         select user_id, n, gen_random_uuid(), payload, created_at from outbox, generate_series(2, 2300) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    for long in [1_300, 300, 100, 100] {
        end_backoffs(&pool).await;
        relay::run_once(&pool, &server.client(), now()).await.unwrap_err();
        assert_eq!(count(&pool, "outbox where length(payload) > 256").await, long);
    }
    assert_eq!(count(&pool, "outbox").await, 2_300);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn wrong_configuration_pauses_everything_and_drops_nothing(pool: PgPool) {
    let server = Server::start().await;
    let alice = user("alice");
    append(&pool, &alice, CalendarId::generate(), "").await;
    let wrong_key = SecretKey::parse("CENTRIFUGO_API_KEY", "k".repeat(32)).unwrap();
    let stranger = centrifugo::Client::new(&server.api_url(), wrong_key).unwrap();
    for _ in 0..3 {
        let paused = relay::run_once(&pool, &stranger, now()).await.unwrap_err();
        assert!(
            paused
                .to_string()
                .starts_with("could not publish; all messages are kept: Centrifugo is not set up"),
            "{paused}"
        );
    }
    assert_eq!(
        (count(&pool, "outbox").await, count(&pool, "dead_letters").await),
        (1, 0)
    );
    // Once the key is corrected, no stream has to wait.
    drain(&pool, &server).await;
    assert_eq!(seqs(&server.history(&channel_of(&alice)).await), [1]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn stream_restored_to_a_lower_seq_is_delivered(pool: PgPool) {
    let server = Server::start().await;
    let alice = user("alice");
    for _ in 0..3 {
        append(&pool, &alice, CalendarId::generate(), "").await;
    }
    drain(&pool, &server).await;
    sqlx::query("update user_stream set seq = 1, epoch = gen_random_uuid()")
        .execute(&pool)
        .await
        .unwrap();
    append(&pool, &alice, CalendarId::generate(), "").await;
    drain(&pool, &server).await;
    assert_eq!(seqs(&server.history(&channel_of(&alice)).await), [1, 2, 3, 2]);
}
