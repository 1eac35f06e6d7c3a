//! Exporting and deleting a user's data.

use std::collections::BTreeSet;

use common::config::SecretKey;
use google_emulator::seed::{Seed, SeedUser};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};
use sqlx::{PgPool, Row as _};
use sync::users::{self, Cursor};
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stage::{ALICE, Stage, create_channels, stop_channels, user_id};

const BOB: &str = "bob@example.com";

/// Tables without data of users.
const WITHOUT_USERS: [&str; 7] = [
    "key_checks",
    "_sqlx_migrations",
    "schema_floor",
    "database_identity",
    "zone_data",
    "stale_generations",
    "unconverted",
];
/// Tables that an export leaves out: derived data, recent call counts, and the canary's results, whose account belongs
/// to the operator.
const LEFT_OUT: [&str; 4] = ["instances", "quota_usage", "quota_pauses", "canary"];

/// Two users with their own accounts, and a row of each in every table with data of users.
async fn two_users(pool: PgPool) -> Stage {
    let stage = Stage::new(pool).await;
    let bob = json!({"email": BOB, "name": "Bob", "calendars": [
        {"id": BOB, "summary": "Bob", "primary": true, "timeZone": "Europe/London"}]});
    let bob: SeedUser = serde_json::from_value(bob).unwrap();
    let seed = Seed { users: vec![bob] };
    stage.google.with(|google| google.load(&seed)).unwrap();
    for (user, account) in [("alice", ALICE), ("bob", BOB)] {
        stage.connect(user, account).await;
        for n in 0..3 {
            let event = json!({"summary": format!("{user}'s {n}"), "start": {"date": "2026-11-24"}, "end": {"date": "2026-11-25"}});
            stage.google.insert(account, "primary", event).unwrap();
        }
    }
    stage.pull_all().await;
    create_channels(&stage).await;
    for user in ["alice", "bob"] {
        for sql in [
            "insert into oauth_states values (sha256($1::bytea), $1, '\\x01', '\\x02', 'https://app.example', now())",
            "insert into dead_letters select gen_random_uuid(), user_id, seq, payload, 'too odd', now()
             from outbox where user_id = $1 limit 1",
            "insert into event_versions select calendar_id, event_id, 'before', raw, now() from events
             join calendars c on c.id = calendar_id where c.user_id = $1 limit 1",
            "insert into write_intents (id, user_id, idempotency_key, request_sha256, connection_id, calendar_id,
                 operation, event_id, work, state, created_at)
             select gen_random_uuid(), $1, 'key', '\\x03', connection_id, id, 'create', 'x', '{}', 'done', now()
             from calendars where user_id = $1 limit 1",
            "insert into canary (user_id, event_id, created_at) values ($1, 'sings', now())",
            "insert into quota_pauses select 'user:' || google_sub, now() - interval '1 hour' from connections where user_id = $1",
        ] {
            let done = sqlx::query(sql).bind(user).execute(&stage.ctx.pool).await.unwrap();
            assert_eq!(done.rows_affected(), 1, "{sql}");
        }
    }
    stage
}

/// The user's rows in each table, found by its references to users, accounts and calendars.
async fn rows_of(pool: &PgPool, user: &str) -> Vec<(String, i64)> {
    let tables: Vec<(String, Vec<String>)> = sqlx::query_as(
        "select c.table_name::text, array_agg(c.column_name::text) from information_schema.columns c
         join information_schema.tables t using (table_schema, table_name)
         where c.table_schema = 'public' and t.table_type = 'BASE TABLE' group by 1 order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut found = Vec::new();
    for (table, columns) in tables {
        let has = |column: &str| columns.iter().any(|name| name == column);
        let condition = if has("user_id") {
            "user_id = $1"
        } else if has("connection_id") {
            "connection_id in (select id from connections where user_id = $1)"
        } else if has("calendar_id") {
            "calendar_id in (select id from calendars where user_id = $1)"
        } else if has("bucket") {
            // The emulator derives an account's `sub` from its address.
            "bucket in (select 'user:' || sub from known_accounts where user_id = $1)"
        } else {
            assert!(
                WITHOUT_USERS.contains(&&*table),
                "{table} has rows of an unknown user"
            );
            continue;
        };
        if WITHOUT_USERS.contains(&&*table) || table == "known_accounts" {
            continue;
        }
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table} where {condition}"));
        let rows = sqlx::query_scalar(sql).bind(user).fetch_one(pool).await.unwrap();
        found.push((table, rows));
    }
    found
}

async fn broker(deletes: u64) -> (MockServer, centrifugo::Client) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/history_remove"))
        .and(body_json(json!({"channel": "calendar:alice"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"result": {}})))
        .expect(deletes)
        .mount(&server)
        .await;
    let key = SecretKey::parse("CENTRIFUGO_API_KEY", "k".repeat(32)).unwrap();
    let url = format!("{}/api", server.uri()).parse().unwrap();
    let client = centrifugo::Client::new(&url, key).unwrap();
    (server, client)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deletion_leaves_nothing_of_one_user_and_all_of_another(pool: PgPool) {
    let stage = two_users(pool).await;
    stage
        .execute("create table known_accounts as select user_id, google_sub as sub from connections")
        .await;
    let pool = &stage.ctx.pool;
    let (alice, bob) = (rows_of(pool, "alice").await, rows_of(pool, "bob").await);
    for (table, rows) in alice.iter().chain(&bob) {
        assert!(*rows > 0, "no row to test in {table}");
    }
    let (_server, broker) = broker(1).await;
    let deletion = users::delete(&stage.ctx, &broker, &user_id("alice"))
        .await
        .unwrap();
    assert_eq!(
        (
            deletion.deleted,
            deletion.grants_left,
            deletion.live_history_deleted
        ),
        (true, 0, true)
    );
    assert_eq!(json!(deletion.receipts[0].grant), "revoked");
    for (table, rows) in rows_of(pool, "alice").await {
        assert_eq!(rows, 0, "{table}");
    }
    assert_eq!(rows_of(pool, "bob").await, bob);
}

/// A page that is still open would take the messages of the new stream for old ones.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stream_after_deletion_is_another_one(pool: PgPool) {
    let stage = two_users(pool).await;
    let alice = user_id("alice");
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let before = store::user_stream::position(&mut conn, &alice).await.unwrap();
    let (_server, broker) = broker(1).await;
    users::delete(&stage.ctx, &broker, &alice).await.unwrap();
    let seq = store::user_stream::next_seq(&mut conn, &alice).await.unwrap();
    let after = store::user_stream::position(&mut conn, &alice).await.unwrap();
    assert_eq!((seq, after.seq), (1, 1));
    assert_ne!(after.epoch, before.epoch);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unrevoked_grant_keeps_its_connection_until_revoked(pool: PgPool) {
    let stage = two_users(pool).await;
    stage
        .execute("create table known_accounts as select user_id, google_sub as sub from connections")
        .await;
    stage.google.fault(Rule::new("oauth.revoke", Fault::BadGateway));
    let (_server, broker) = broker(2).await;
    let deletion = users::delete(&stage.ctx, &broker, &user_id("alice"))
        .await
        .unwrap();
    assert_eq!((deletion.deleted, deletion.grants_left), (true, 1));
    let left: Vec<_> = rows_of(&stage.ctx.pool, "alice")
        .await
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(table, _)| table)
        .collect();
    // Stopped channels are deleted with their connection.
    assert_eq!(left, ["connections", "quota_pauses", "quota_usage", "watches"]);
    stage.google.clear_faults();
    stage.pass(chrono::TimeDelta::minutes(1));
    sync::connections::disconnect_once(&stage.ctx).await.unwrap();
    let deletion = users::delete(&stage.ctx, &broker, &user_id("alice"))
        .await
        .unwrap();
    assert_eq!((deletion.receipts.len(), deletion.grants_left), (0, 0));
    for (table, rows) in rows_of(&stage.ctx.pool, "alice").await {
        assert_eq!(rows, 0, "{table}");
    }
}

/// A user revokes the grant at Google and then deletes the data: Google's late rejection must not recreate the stream.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn grant_ending_after_deletion_sends_no_message(pool: PgPool) {
    let stage = two_users(pool).await;
    stage
        .execute("create table known_accounts as select user_id, google_sub as sub from connections")
        .await;
    stage.google.revoke(ALICE);
    stage.google.expire_access_tokens(ALICE);
    let (_server, broker) = broker(1).await;
    let deletion = users::delete(&stage.ctx, &broker, &user_id("alice"))
        .await
        .unwrap();
    assert!(deletion.deleted);
    stage.age_suspicions().await;
    stage.pass(chrono::TimeDelta::minutes(1));
    stop_channels(&stage).await;
    let ended: i64 = stage
        .one("select count(*) from connections where user_id = 'alice' and grant_ended_at is not null")
        .await;
    assert_eq!(ended, 1, "the channels still have to be stopped, and cannot be");
    sync::connections::disconnect_once(&stage.ctx).await.unwrap();
    for (table, rows) in rows_of(&stage.ctx.pool, "alice").await {
        assert_eq!(rows, 0, "{table}");
    }
}

/// A watch request and a pull that were running when all accounts were disconnected.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn work_running_during_deletion_sends_no_message(pool: PgPool) {
    let stage = two_users(pool).await;
    // A renewer's watch request is in flight.
    stage
        .execute("update calendars set push_supported = true where user_id = 'alice'")
        .await;
    stage.google.fault(Rule::new(
        "events.watch",
        Fault::Delay {
            ms: 1_500,
            jitter_ms: 0,
        },
    ));
    let asked = stage.requests_to("events.watch");
    let ctx = stage.another();
    let renewing = tokio::spawn(async move { sync::watch::Renewer::new(ctx).run_once().await });
    while stage.requests_to("events.watch") == asked {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // The mirror is deleted later, as after a crash.
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let lease = std::time::Duration::from_mins(1);
    let alice = user_id("alice");
    store::connections::disconnect(&mut tx, stage.now(), &alice, None, lease)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let left = store::users::delete(&mut tx, &alice).await.unwrap();
    tx.commit().await.unwrap();
    assert!(left.calendars > 0);
    renewing.await.unwrap().unwrap();
    let sent: i64 = stage
        .one("select (select count(*) from user_stream where user_id = 'alice') + (select count(*) from outbox where user_id = 'alice')")
        .await;
    assert_eq!(sent, 0);
    let queued: i64 = stage
        .one("select count(*) from sync_state where user_id = 'alice'")
        .await;
    assert_eq!(queued, 0, "the running pull cannot commit any more");
}

/// All pages of an export, merged.
async fn exported(stage: &Stage, user: &str) -> (Value, usize) {
    let mut whole = json!({});
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let export = users::export(&stage.ctx, &user_id(user), cursor).await.unwrap();
        let mut page = json!(export);
        pages += 1;
        for (list, rows) in page.as_object_mut().unwrap() {
            let Value::Array(rows) = rows else { continue };
            let all = whole.as_object_mut().unwrap().entry(list).or_insert(json!([]));
            all.as_array_mut().unwrap().append(rows);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(Cursor::decode(next).unwrap()),
            None => return (whole, pages),
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn export_has_every_table_of_the_user_and_no_secret(pool: PgPool) {
    let stage = two_users(pool).await;
    let (whole, pages) = exported(&stage, "alice").await;
    assert_eq!(pages, 1);
    let text = whole.to_string();
    assert!(!text.contains("bob"), "another user's data");
    for secret in ["token\"", "_sha256", "pkce", "_lease\"", "digest"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let lists: BTreeSet<&str> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    for list in &lists {
        assert!(!whole[list].as_array().unwrap().is_empty(), "{list}");
    }
    let expected: BTreeSet<&str> = [
        "connections",
        "calendars",
        "syncState",
        "watches",
        "userStream",
        "connectFlows",
        "events",
        "eventVersions",
        "writeIntents",
        "syncRounds",
        "messages",
    ]
    .into();
    assert_eq!(lists, expected);
    assert_eq!(whole["events"].as_array().unwrap().len(), 3);
    let summary = whole["events"][0]["event"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("alice's"), "{summary}");
    assert_eq!(whole["connections"][0]["email"], ALICE);

    // Every table is exported or listed as left out.
    let tables = sqlx::query(
        "select distinct c.table_name::text from information_schema.columns c
         where c.table_schema = 'public' and c.column_name in ('user_id', 'connection_id', 'calendar_id', 'bucket')",
    )
    .fetch_all(&stage.ctx.pool)
    .await
    .unwrap();
    let of_list = |table: &str| match table {
        "oauth_states" => "connectflows".to_owned(),
        "outbox" | "dead_letters" => "messages".to_owned(),
        table => table.replace('_', ""),
    };
    for table in tables {
        let table: String = table.get(0);
        let exported = lists.iter().any(|list| list.to_lowercase() == of_list(&table));
        let left_out = LEFT_OUT.contains(&&*table) || WITHOUT_USERS.contains(&&*table);
        assert!(exported != left_out, "{table}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn large_export_is_paged_and_contains_everything_once(pool: PgPool) {
    let stage = two_users(pool).await;
    let wide = "x".repeat(200_000);
    for n in 0..12 {
        let event = json!({"summary": format!("Wide {n}"), "description": wide,
            "start": {"date": "2026-11-24"}, "end": {"date": "2026-11-25"}});
        stage.google.insert(ALICE, "primary", event).unwrap();
    }
    for n in 0..1_200 {
        let event = json!({"summary": format!("Small {n}"), "start": {"date": "2026-11-24"}, "end": {"date": "2026-11-25"}});
        stage.google.insert(ALICE, "primary", event).unwrap();
    }
    stage
        .execute("update sync_state set dirty_seq = dirty_seq + 1")
        .await;
    stage.pull_all().await;
    let (whole, pages) = exported(&stage, "alice").await;
    assert!((3..=8).contains(&pages), "{pages}");
    let events = whole["events"].as_array().unwrap();
    let ids: BTreeSet<_> = events
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect();
    assert_eq!((events.len(), ids.len()), (1_215, 1_215));
    assert!(Cursor::decode("nonsense").is_none());
}
