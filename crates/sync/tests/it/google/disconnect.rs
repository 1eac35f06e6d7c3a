//! Disconnecting an account: its steps, its receipt, and finishing after a crash.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;
use sync::connections::{self, AT_ONCE, GrantEnd, Receipt};

use super::stage::{ALICE, Stage, stop_channels, user_id, watched};

async fn disconnect(stage: &Stage, user: &str) -> Vec<Receipt> {
    connections::disconnect(&stage.ctx, &user_id(user), None, AT_ONCE)
        .await
        .unwrap()
}

async fn disconnect_rest(stage: &Stage) {
    connections::disconnect_once(&stage.ctx).await.unwrap();
}

/// The number of mirrored rows of all users.
async fn mirrored(stage: &Stage) -> i64 {
    stage
        .one(
            "select (select count(*) from calendars) + (select count(*) from events) + (select count(*) from instances)
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
async fn channels_are_stopped_before_revocation_and_receipt_says_so(pool: PgPool) {
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
    assert_eq!(
        stage.messages("alice").await.last().unwrap()["state"],
        "disconnected"
    );
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
async fn grant_shared_with_another_connection_is_kept(pool: PgPool) {
    let stage = watched(pool).await;
    let bob = stage.connect("bob", ALICE).await;
    stage.pull_all().await;
    let before = mirrored(&stage).await;
    let receipts = disconnect(&stage, "alice").await;
    assert_eq!(receipts[0].grant, GrantEnd::KeptForOthers);
    assert!(receipts[0].data.deleted);
    assert_eq!(stage.requests_to("oauth.revoke"), 0);
    assert_eq!(connected(&stage).await, 1);
    let after = mirrored(&stage).await;
    assert!(after > 0 && after < before, "{before} {after}");
    // A user cannot disconnect another user's account.
    let none = connections::disconnect(&stage.ctx, &user_id("alice"), Some(bob), AT_ONCE)
        .await
        .unwrap();
    assert_eq!(none, []);
    // Disconnecting the last one revokes it.
    assert_eq!(disconnect(&stage, "bob").await[0].grant, GrantEnd::Revoked);
    assert_eq!(connected(&stage).await, 0);
}

/// The policy may change, and the grant is then used again.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn grant_of_another_connection_ended_by_policy_is_kept(pool: PgPool) {
    let stage = watched(pool).await;
    stage.connect("bob", ALICE).await;
    stage
        .execute(
            "update connections set grant_ended_at = now(), grant_ended_reason = 'admin_policy_enforced' where user_id = 'bob'",
        )
        .await;
    assert_eq!(
        disconnect(&stage, "alice").await[0].grant,
        GrantEnd::KeptForOthers
    );
    assert_eq!(stage.requests_to("oauth.revoke"), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn data_is_deleted_while_google_is_down_and_grant_later(pool: PgPool) {
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
    // Waiting for the channels is bounded.
    disconnect_rest(&stage).await;
    assert_eq!(stage.requests_to("oauth.revoke"), 0);
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    assert_eq!(stage.requests_to("oauth.revoke"), 1);
    disconnect_rest(&stage).await;
    assert_eq!(stage.requests_to("oauth.revoke"), 1, "not retried at once");
    stage.google.clear_faults();
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    assert_eq!(
        (stage.requests_to("oauth.revoke"), connected(&stage).await),
        (2, 0)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unconfirmed_revocation_is_given_up_after_a_day(pool: PgPool) {
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
    // By the next attempt after a day. Attempts are an hour apart by then, at a pass or just beside it.
    assert!(passes >= 48, "{passes}");
    let tries = stage.requests_to("oauth.revoke");
    assert!((24..=48).contains(&tries), "{tries}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn renewer_finishes_disconnecting_after_a_crash(pool: PgPool) {
    let stage = watched(pool).await;
    // The request is committed, and no worker continues it.
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
    assert!(mirrored(&stage).await > 0, "another worker may hold it");
    stage
        .execute("update connections set leave_leased_until = now() - interval '1 second'")
        .await;
    disconnect_rest(&stage).await;
    assert_eq!(mirrored(&stage).await, 0);
    assert_eq!(stage.requests_to("oauth.revoke"), 0, "channels are stopped first");
    stop_channels(&stage).await;
    disconnect_rest(&stage).await;
    assert_eq!(
        (stage.requests_to("oauth.revoke"), connected(&stage).await),
        (1, 0)
    );
    // A worker that returns after its lease has expired does no harm.
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

/// Until a disconnect commits, other workers still see the account as connected.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_channel_is_created_during_a_disconnect(pool: PgPool) {
    let stage = watched(pool).await;
    // Channels are due, and the access token needs no refresh.
    stage.execute("delete from watches").await;
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let lease = Duration::from_mins(1);
    let disconnecting = store::connections::disconnect(&mut tx, stage.now(), &user_id("alice"), None, lease)
        .await
        .unwrap();
    store::watches::replace_of_connections(&mut tx, &[disconnecting[0].lease.key])
        .await
        .unwrap();
    let asked = stage.requests_to("events.watch");
    let ctx = stage.ctx.clone();
    let renewing = tokio::spawn(async move { sync::watch::Renewer::new(ctx).run_once().await });
    // Long enough for a request to Google if it were not blocked.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tx.commit().await.unwrap();
    renewing.await.unwrap().unwrap();
    assert_eq!(stage.requests_to("events.watch"), asked);
    let left: i64 = stage
        .one("select count(*) from watches where state in ('pending', 'live')")
        .await;
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn reconnecting_during_disconnect_keeps_the_new_grant(pool: PgPool) {
    let stage = watched(pool).await;
    stage.google.fault(Rule::new("oauth.revoke", Fault::BadGateway));
    disconnect(&stage, "alice").await;
    stage.google.clear_faults();
    stage.connect("alice", ALICE).await;
    stage.pass(TimeDelta::minutes(1));
    disconnect_rest(&stage).await;
    stage.pull_all().await;
    assert_eq!(
        (stage.requests_to("oauth.revoke"), connected(&stage).await),
        (1, 1)
    );
    assert!(mirrored(&stage).await > 0);
}

/// Inserts a dead letter of this age.
async fn insert_dead_letter(stage: &Stage, user: &str, ago: TimeDelta) {
    sqlx::query("insert into dead_letters values (gen_random_uuid(), $1, 1, '{}', 'too odd', $2)")
        .bind(user)
        .bind(stage.now() - ago)
        .execute(&stage.ctx.pool)
        .await
        .unwrap();
}

async fn dead_letters(stage: &Stage) -> i64 {
    stage.one("select count(*) from dead_letters").await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn dead_letters_are_deleted_with_their_account(pool: PgPool) {
    let stage = watched(pool).await;
    insert_dead_letter(&stage, "alice", TimeDelta::zero()).await;
    insert_dead_letter(&stage, "bob", TimeDelta::zero()).await;
    disconnect(&stage, "alice").await;
    let left: String = stage
        .one("select string_agg(user_id, ' ') from dead_letters")
        .await;
    assert_eq!(left, "bob");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn dead_letters_are_kept_for_a_week(pool: PgPool) {
    let stage = Stage::new(pool).await;
    insert_dead_letter(&stage, "alice", TimeDelta::days(6)).await;
    insert_dead_letter(&stage, "alice", TimeDelta::days(8)).await;
    sync::poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(dead_letters(&stage).await, 1);
    stage.pass(TimeDelta::days(2));
    sync::poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(dead_letters(&stage).await, 0);
}

/// Revoking one token ends all grants of the project for the account, so also the host application's:
/// <https://github.com/googleapis/google-auth-library-nodejs/issues/1338>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn grant_that_others_need_is_not_revoked(pool: PgPool) {
    let mut stage = watched(pool).await;
    stage
        .execute(
            "update connections set scopes = scopes || 'https://www.googleapis.com/auth/drive.file'::text",
        )
        .await;
    assert_eq!(disconnect(&stage, "alice").await[0].grant, GrantEnd::Kept);
    stage.connect("alice", ALICE).await;
    stage.configure(|settings| settings.revoke_on_disconnect = false);
    let receipt = disconnect(&stage, "alice").await.remove(0);
    assert_eq!((receipt.grant, receipt.data.deleted), (GrantEnd::Kept, true));
    assert_eq!(
        (stage.requests_to("oauth.revoke"), connected(&stage).await),
        (0, 0)
    );
}

/// The first statement of a new connection must not delete an old one's mirror: that takes as long as the mirror is large.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn reconnecting_leaves_the_old_mirror_to_its_slices(pool: PgPool) {
    let stage = watched(pool).await;
    stage
        .google
        .insert(ALICE, "primary", timed("Old and new"))
        .unwrap();
    stage.pull_all().await;
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let lease = Duration::from_secs(1);
    let old = store::connections::disconnect(&mut conn, stage.now(), &user_id("alice"), None, lease)
        .await
        .unwrap()
        .remove(0);
    let before = mirrored(&stage).await;
    let new = stage.connect("alice", ALICE).await;
    assert_ne!(new, old.lease.key);
    assert!(
        mirrored(&stage).await > before,
        "nothing of the old mirror is deleted yet"
    );
    stage.pull_all().await;
    let events: i64 = stage.one("select count(*) from events").await;
    assert_eq!(events, 2);
    stage
        .execute("update connections set leave_leased_until = now() - interval '1 second'")
        .await;
    disconnect_rest(&stage).await;
    assert_eq!(connected(&stage).await, 1);
    let events: i64 = stage.one("select count(*) from events").await;
    assert_eq!(events, 1);
    assert_eq!(stage.requests_to("oauth.revoke"), 0);
}
