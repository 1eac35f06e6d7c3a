//! The end of a connection: what is done, what is told of it, and who finishes it after a crash.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;
use sync::connections::{self, AT_ONCE, GrantEnd, Receipt};

use super::stage::{ALICE, Stage, stop_all, user_id, watched};

async fn disconnect(stage: &Stage, user: &str) -> Vec<Receipt> {
    connections::disconnect(&stage.ctx, &user_id(user), None, AT_ONCE)
        .await
        .unwrap()
}

async fn disconnect_rest(stage: &Stage) {
    connections::disconnect_once(&stage.ctx).await.unwrap();
}

/// Rows of what was mirrored of all users.
async fn mirrored(stage: &Stage) -> i64 {
    stage
        .one(
            "select (select count(*) from calendars) + (select count(*) from events) + (select count(*) from occurrences)
                    + (select count(*) from sync_state) + (select count(*) from sync_rounds)
                    + (select count(*) from event_versions) + (select count(*) from write_intents)",
        )
        .await
}

async fn connected(stage: &Stage) -> i64 {
    stage.one("select count(*) from connections").await
}

fn timed(title: &str) -> serde_json::Value {
    json!({"summary": title, "start": {"dateTime": "2026-11-24T09:00:00Z"}, "end": {"dateTime": "2026-11-24T10:00:00Z"}})
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_channels_are_stopped_then_the_grant_is_revoked_and_the_receipt_says_so(pool: PgPool) {
    let stage = watched(pool).await;
    stage.google.insert(ALICE, "primary", timed("Gone soon")).unwrap();
    stage.pull_all().await;
    let receipts = disconnect(&stage, "alice").await;
    let [receipt] = &receipts[..] else {
        panic!("{receipts:?}")
    };
    assert_eq!(
        json!(receipt),
        json!({
            "connectionId": receipt.connection_id,
            "email": ALICE,
            "channels": {"stopped": 2, "left": 0},
            "grant": "revoked",
            "data": {"calendars": 2, "events": 1, "deleted": true, "deletedBy": (stage.now() + TimeDelta::minutes(1)).trunc_subsecs(6)},
        })
    );
    assert_eq!(stage.told("alice").await.last().unwrap()["state"], "disconnected");
    let order: Vec<_> = stage
        .google
        .requests()
        .into_iter()
        .map(|request| request.endpoint)
        .filter(|endpoint| matches!(endpoint.as_str(), "channels.stop" | "oauth.revoke"))
        .collect();
    assert_eq!(order, ["channels.stop", "channels.stop", "oauth.revoke"]);
    assert_eq!((mirrored(&stage).await, connected(&stage).await), (0, 0));
    let watches: i64 = stage.one("select count(*) from watches").await;
    let usage: i64 = stage
        .one("select count(*) from quota_usage where bucket <> 'project'")
        .await;
    assert_eq!((watches, usage), (0, 0));
    assert_eq!(disconnect(&stage, "alice").await, []);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_grant_that_somebody_else_lives_on_is_kept(pool: PgPool) {
    let stage = watched(pool).await;
    let bob = stage.connect("bob", ALICE).await;
    stage.pull_all().await;
    let before = mirrored(&stage).await;
    let receipts = disconnect(&stage, "alice").await;
    assert_eq!(receipts[0].grant, GrantEnd::KeptForOthers);
    assert!(receipts[0].data.deleted);
    assert_eq!(stage.asked("oauth.revoke"), 0);
    assert_eq!(connected(&stage).await, 1);
    let after = mirrored(&stage).await;
    assert!(after > 0 && after < before, "{before} {after}");
    // Nobody disconnects another's account.
    let none = connections::disconnect(&stage.ctx, &user_id("alice"), Some(bob), AT_ONCE)
        .await
        .unwrap();
    assert_eq!(none, []);
    // The last one ends it.
    assert_eq!(disconnect(&stage, "bob").await[0].grant, GrantEnd::Revoked);
    assert_eq!(connected(&stage).await, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_data_goes_although_google_cannot_be_reached_and_the_grant_follows(pool: PgPool) {
    let stage = watched(pool).await;
    stage.google.fault(Rule::new("*", Fault::BadGateway));
    let receipt = disconnect(&stage, "alice").await.remove(0);
    assert_eq!((receipt.channels.stopped, receipt.channels.left), (0, 2));
    assert_eq!(receipt.grant, GrantEnd::Pending);
    assert!(receipt.data.deleted, "{receipt:?}");
    assert_eq!(mirrored(&stage).await, 0);
    let kept: (String, Vec<String>) = sqlx::query_as("select email, scopes from connections")
        .fetch_one(&stage.ctx.pool)
        .await
        .unwrap();
    assert_eq!(kept, (String::new(), Vec::new()));
    // The channels are not waited for without end.
    disconnect_rest(&stage).await;
    assert_eq!(stage.asked("oauth.revoke"), 0);
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    assert_eq!(stage.asked("oauth.revoke"), 1);
    disconnect_rest(&stage).await;
    assert_eq!(stage.asked("oauth.revoke"), 1, "not at once again");
    stage.google.clear_faults();
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    assert_eq!((stage.asked("oauth.revoke"), connected(&stage).await), (2, 0));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_grant_that_google_never_takes_back_is_given_up_after_a_day(pool: PgPool) {
    let stage = watched(pool).await;
    stage.google.fault(Rule::new("oauth.revoke", Fault::BadGateway));
    assert_eq!(disconnect(&stage, "alice").await[0].grant, GrantEnd::Pending);
    let mut passes = 0;
    while connected(&stage).await > 0 {
        stage.pass(TimeDelta::minutes(30));
        disconnect_rest(&stage).await;
        passes += 1;
        assert!(passes <= 50, "{passes}");
    }
    // After a day, by the next try: they are an hour apart by then, and fall on a pass or just beside it.
    assert!(passes >= 48, "{passes}");
    let tries = stage.asked("oauth.revoke");
    assert!((24..=48).contains(&tries), "{tries}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_crash_left_is_finished_by_a_renewer(pool: PgPool) {
    let stage = watched(pool).await;
    // The wish is committed, and nobody goes on with it.
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let lease = Duration::from_mins(1);
    let disconnecting =
        store::connections::disconnect(&mut conn, stage.now(), &user_id("alice"), None, lease)
            .await
            .unwrap();
    let id = disconnecting[0].lease.key;
    store::watches::replace_of_connections(&mut conn, &[id])
        .await
        .unwrap();
    disconnect_rest(&stage).await;
    assert!(mirrored(&stage).await > 0, "somebody may be at it");
    stage
        .execute("update connections set leave_leased_until = now() - interval '1 second'")
        .await;
    disconnect_rest(&stage).await;
    assert_eq!(mirrored(&stage).await, 0);
    assert_eq!(stage.asked("oauth.revoke"), 0, "channels are stopped first");
    stop_all(&stage).await;
    disconnect_rest(&stage).await;
    assert_eq!((stage.asked("oauth.revoke"), connected(&stage).await), (1, 0));
    // Who comes back after the lease was over finds nothing to do, and does no harm.
    assert!(
        !store::connections::strip(&mut conn, &disconnecting[0].lease)
            .await
            .unwrap()
    );
    assert!(
        !store::connections::purge(&mut conn, &disconnecting[0].lease)
            .await
            .unwrap()
    );
}

/// Between what a disconnect has replaced and its commit, others still see the account connected.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_channel_is_made_behind_the_back_of_a_disconnect(pool: PgPool) {
    let stage = watched(pool).await;
    // Channels are to be made, with an access token that needs no renewal.
    stage.execute("delete from watches").await;
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let lease = Duration::from_mins(1);
    let disconnecting = store::connections::disconnect(&mut tx, stage.now(), &user_id("alice"), None, lease)
        .await
        .unwrap();
    store::watches::replace_of_connections(&mut tx, &[disconnecting[0].lease.key])
        .await
        .unwrap();
    let asked = stage.asked("events.watch");
    let ctx = stage.ctx.clone();
    let renewing = tokio::spawn(async move { sync::watch::run_once(&ctx).await });
    // Time enough to ask Google, were nothing in the way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tx.commit().await.unwrap();
    renewing.await.unwrap().unwrap();
    assert_eq!(stage.asked("events.watch"), asked);
    let left: i64 = stage
        .one("select count(*) from watches where state in ('pending', 'live')")
        .await;
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_connects_again_meanwhile_keeps_the_new_grant(pool: PgPool) {
    let stage = watched(pool).await;
    stage.google.fault(Rule::new("oauth.revoke", Fault::BadGateway));
    disconnect(&stage, "alice").await;
    stage.google.clear_faults();
    stage.connect("alice", ALICE).await;
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    stage.pull_all().await;
    assert_eq!((stage.asked("oauth.revoke"), connected(&stage).await), (1, 1));
    assert!(mirrored(&stage).await > 0);
}

/// A message of a user that Centrifugo refused so long ago.
async fn bury(stage: &Stage, user: &str, ago: TimeDelta) {
    sqlx::query("insert into dead_letters values (gen_random_uuid(), $1, 1, '{}', 'too odd', $2)")
        .bind(user)
        .bind(stage.now() - ago)
        .execute(&stage.ctx.pool)
        .await
        .unwrap();
}

async fn letters(stage: &Stage) -> i64 {
    stage.one("select count(*) from dead_letters").await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_could_not_be_told_of_an_account_goes_with_it(pool: PgPool) {
    let stage = watched(pool).await;
    bury(&stage, "alice", TimeDelta::zero()).await;
    bury(&stage, "bob", TimeDelta::zero()).await;
    disconnect(&stage, "alice").await;
    let left: String = stage
        .one("select string_agg(user_id, ' ') from dead_letters")
        .await;
    assert_eq!(left, "bob");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_could_not_be_told_is_kept_for_a_week(pool: PgPool) {
    let stage = Stage::new(pool).await;
    bury(&stage, "alice", TimeDelta::days(6)).await;
    bury(&stage, "alice", TimeDelta::days(8)).await;
    sync::poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(letters(&stage).await, 1);
    stage.pass(TimeDelta::days(2));
    sync::poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(letters(&stage).await, 0);
}
