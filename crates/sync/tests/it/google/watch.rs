//! Promise 11: the life cycle of a channel.

use chrono::TimeDelta;
use common::worker::Pass;
use google_emulator::{Fault, Rule, Settings};
use sqlx::PgPool;
use store::sync_state::Kind;
use store::watches::{self, Wanted};
use sync::{calendar_list, poll, watch};

use super::stage::{ALICE, HOLIDAYS, Stage, WEBHOOK, create_channels, stop_channels, user_id, watched};

fn refused(status: u16, reason: &str) -> Rule {
    Rule::new(
        "events.watch",
        Fault::Error {
            status,
            reason: Some(reason.into()),
            message: None,
            retry_after: None,
        },
    )
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_renewers_create_one_channel_and_a_pull_follows(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    stage.google.fault(Rule::new(
        "*.watch",
        Fault::Delay {
            ms: 200,
            jitter_ms: 100,
        },
    ));
    let (one, two) = (
        watch::Renewer::new(stage.ctx.clone()),
        watch::Renewer::new(stage.another()),
    );
    for _ in 0..3 {
        let (one, two) = tokio::join!(one.run_once(), two.run_once());
        one.unwrap();
        two.unwrap();
    }
    assert_eq!(stage.google.channels().len(), 2);
    assert_eq!(stage.requests_to("calendarList.watch"), 1);
    // Once for the primary calendar, once for the unwatchable one.
    assert_eq!(stage.requests_to("events.watch"), 2);
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 0)
    );
    let due: i64 = stage
        .one("select count(*) from sync_state where dirty_seq > synced_seq")
        .await;
    assert_eq!(due, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn late_renewer_creates_no_second_channel(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::days(6));
    let healthy = watches::Healthy {
        now: stage.now(),
        address: WEBHOOK,
        heard_since: stage.now(),
        change_seen_before: stage.now(),
    };
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let candidates = watches::candidates(&mut conn, healthy, uuid::Uuid::nil(), 10)
        .await
        .unwrap();
    let ids: std::collections::BTreeSet<_> = candidates.iter().map(|found| found.resource_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let wanted = watches::wanted(&mut conn, healthy, &ids).await.unwrap();
    assert_eq!(wanted.len(), 2);
    // Another renewer creates them first.
    create_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 4);
    for wanted in &wanted {
        assert!(!watch::open(&stage.ctx, wanted).await.unwrap());
    }
    assert_eq!(stage.google.channels().len(), 4);
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 0)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unwatchable_calendar_is_polled_and_not_requested_again(pool: PgPool) {
    let stage = watched(pool).await;
    let supported: bool = sqlx::query_scalar("select push_supported from calendars where google_id = $1")
        .bind(HOLIDAYS)
        .fetch_one(&stage.ctx.pool)
        .await
        .unwrap();
    assert!(!supported);
    assert_eq!(
        stage.messages("alice").await.last().unwrap()["type"],
        "calendars.changed"
    );
    let asked = stage.requests_to("events.watch");
    stage.pass(TimeDelta::hours(2));
    create_channels(&stage).await;
    // Nor by a renewer that had read its row before.
    let wanted = Wanted {
        resource_id: stage
            .one::<uuid::Uuid>("select id from calendars where not is_primary")
            .await
            .into(),
        connection_id: stage.one::<uuid::Uuid>("select id from connections").await.into(),
        user_id: user_id("alice"),
        kind: Kind::Events,
        google_calendar_id: Some(HOLIDAYS.into()),
        replaces: None,
    };
    assert!(!watch::open(&stage.ctx, &wanted).await.unwrap());
    assert_eq!(stage.requests_to("events.watch"), asked);

    // Polls find changes without a push: after a minute for the unwatched one, after 15 minutes for the watched one.
    stage.pull_all().await;
    poll::run_once(&stage.ctx).await.unwrap();
    stage.pull_all().await;
    stage.google.clear_log();
    stage.pass(TimeDelta::seconds(80));
    poll::run_once(&stage.ctx).await.unwrap();
    stage.pull_all().await;
    assert_eq!(stage.requests_to("events.list"), 1);
    stage.pass(TimeDelta::minutes(20));
    poll::run_once(&stage.ctx).await.unwrap();
    stage.pull_all().await;
    assert_eq!(stage.requests_to("events.list"), 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channel_is_renewed_with_overlap_before_its_last_fifth(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::hours(7 * 24) * 7 / 10);
    // A recent push, so not silent.
    stage.receive_push().await;
    create_channels(&stage).await;
    assert_eq!(stage.count_channels("live").await, 2);
    assert_eq!(stage.count_channels("replaced").await, 0);

    stage.pass(TimeDelta::hours(7 * 24) / 10);
    stage.receive_push().await;
    create_channels(&stage).await;
    // Both push until the old ones are stopped.
    assert_eq!(stage.google.channels().len(), 4);
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("replaced").await
        ),
        (2, 2)
    );
    stop_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 2);
    assert_eq!(stage.count_channels("stopped").await, 2);
    let early: i64 = stage.one("select count(*) from watches where state = 'live' and expires_at - renew_at < (expires_at - created_at) * 0.199").await;
    assert_eq!(early, 0);

    stage.pass(TimeDelta::days(3));
    poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(stage.one::<i64>("select count(*) from watches").await, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn failed_renewal_keeps_the_old_channel_and_is_retried(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::days(6));
    stage.receive_push().await;
    let rule = stage.google.fault(refused(500, "backendError"));
    create_channels(&stage).await;
    assert_eq!(
        stage.count_channels("replaced").await,
        1,
        "the calendar list's, whose renewal succeeded"
    );
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 1)
    );
    let asked = stage.requests_to("events.watch");
    create_channels(&stage).await;
    assert_eq!(
        stage.requests_to("events.watch"),
        asked,
        "not before the backoff has passed"
    );

    stage.google.clear_fault(&rule);
    stage.pass(TimeDelta::minutes(2));
    create_channels(&stage).await;
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 0)
    );
    stop_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn shorter_granted_lifetime_is_respected(pool: PgPool) {
    let settings = Settings {
        max_channel_seconds: 3_600,
        ..Settings::default()
    };
    let stage = Stage::with(pool, settings).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    create_channels(&stage).await;
    let late: i64 = stage.one("select count(*) from watches where expires_at > created_at + interval '61 minutes' or renew_at > created_at + interval '49 minutes'").await;
    assert_eq!(late, 0);
    assert_eq!(stage.count_channels("live").await, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn silent_channels_and_missed_pushes_replace_the_channel(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::hours(11));
    create_channels(&stage).await;
    assert_eq!(stage.count_channels("replaced").await, 0);
    stage.pass(TimeDelta::hours(2));
    create_channels(&stage).await;
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("replaced").await
        ),
        (2, 2)
    );
    stop_channels(&stage).await;

    // A poll found a change without a push.
    stage.pass(TimeDelta::minutes(30));
    sqlx::query("update sync_state set missed_push_at = $1 where kind = 'calendar_list'")
        .bind(stage.now())
        .execute(&stage.ctx.pool)
        .await
        .unwrap();
    create_channels(&stage).await;
    assert_eq!(
        stage.count_channels("replaced").await,
        0,
        "the push may still arrive"
    );
    stage.pass(TimeDelta::minutes(6));
    create_channels(&stage).await;
    assert_eq!(stage.count_channels("replaced").await, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channels_follow_the_public_url(pool: PgPool) {
    let mut stage = watched(pool).await;
    let other = "http://127.0.0.1:10/api/calendar/webhook";
    stage.configure(|settings| settings.webhook_url = Some(other.parse().unwrap()));
    create_channels(&stage).await;
    stop_channels(&stage).await;
    let channels = stage.google.channels();
    assert_eq!(channels.len(), 2);
    assert!(channels.iter().all(|channel| channel["address"] == other));

    stage.configure(|settings| settings.webhook_url = None);
    create_channels(&stage).await;
    stop_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 0);
    assert_eq!(
        watch::Renewer::new(stage.ctx.clone()).run_once().await.unwrap(),
        Pass::Idle
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channels_follow_the_selection_of_calendars(pool: PgPool) {
    let stage = watched(pool).await;
    let primary: uuid::Uuid = stage.one("select id from calendars where is_primary").await;
    let select = async |selected| {
        let mut tx = stage.ctx.pool.begin().await.unwrap();
        let ids = [primary.into()];
        let changed = calendar_list::select(&mut tx, stage.now(), &user_id("alice"), &ids, selected)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(changed.len(), 1);
        create_channels(&stage).await;
        stop_channels(&stage).await;
    };
    select(false).await;
    assert_eq!(stage.google.channels().len(), 1);
    select(true).await;
    assert_eq!(stage.google.channels().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn stopping_a_channel_is_retried_but_not_forever(pool: PgPool) {
    let mut stage = watched(pool).await;
    stage.configure(|settings| settings.webhook_url = None);
    create_channels(&stage).await;
    stage.google.fault(Rule::new("channels.stop", Fault::BadGateway));
    for _ in 0..20 {
        stop_channels(&stage).await;
        stage.pass(TimeDelta::hours(1));
    }
    assert_eq!(stage.count_channels("stopped").await, 2);
    assert_eq!(stage.requests_to("channels.stop"), 16);
}

/// A policy that ends a grant may leave its channels to push. They are stopped once the grant is accepted again: by Google, or
/// by the user, who connects the account again.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channels_of_a_revived_grant_are_stopped(pool: PgPool) {
    let stage = watched(pool).await;
    for connects in [false, true] {
        end_by_policy(&stage).await;
        assert_eq!(stage.count_channels("live").await, 0);
        assert_eq!(stage.google.channels().len(), 2);
        if connects {
            stage.connect("alice", ALICE).await;
        } else {
            sync::connections::recheck_refused_once(&stage.ctx).await.unwrap();
        }
        stage.pull_all().await;
        stop_channels(&stage).await;
        create_channels(&stage).await;
        let ours: Vec<String> = sqlx::query_scalar("select channel_id from watches where state = 'live'")
            .fetch_all(&stage.ctx.pool)
            .await
            .unwrap();
        let at_google = stage.google.channels();
        assert_eq!((ours.len(), at_google.len()), (2, 2), "{at_google:?}");
        assert!(
            at_google
                .iter()
                .all(|channel| ours.iter().any(|id| channel["id"] == id.as_str()))
        );
    }
}

/// The account's organization blocks Calwire until its refusal is confirmed, and then no longer.
async fn end_by_policy(stage: &Stage) {
    let refusal = Fault::Error {
        status: 400,
        reason: Some("admin_policy_enforced".into()),
        message: None,
        retry_after: None,
    };
    let rule = stage
        .google
        .fault(Rule::new("oauth.token", refusal).of_user(ALICE));
    stage.google.expire_access_tokens(ALICE);
    for _ in 0..2 {
        stage
            .execute("update sync_state set dirty_seq = dirty_seq + 1, not_before = now()")
            .await;
        stage.pull_all().await;
        stage.age_suspicions().await;
    }
    stage.google.clear_fault(&rule);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_limit_on_channels_does_not_stop_reading(pool: PgPool) {
    let stage = watched(pool).await;
    let account: String = stage.one("select google_sub from connections").await;
    let limits = [
        ("*.watch", "rateLimitExceeded"),
        ("*.watch", "quotaExceeded"),
        ("channels.stop", "rateLimitExceeded"),
        ("channels.stop", "quotaExceeded"),
    ];
    for (endpoint, reason) in limits {
        let limit = Fault::Error {
            status: 403,
            reason: Some(reason.into()),
            message: None,
            retry_after: Some(600),
        };
        stage.google.fault(Rule::new(endpoint, limit));
        stage
            .execute("update watches set state = 'replaced', not_before = '-infinity' where state = 'live'")
            .await;
        stage.pass(TimeDelta::hours(2));
        create_channels(&stage).await;
        stop_channels(&stage).await;
        let paused: String = stage
            .one("select string_agg(bucket, ' ') from quota_pauses where until > now()")
            .await;
        assert_eq!(paused, format!("channels:{account}"), "{endpoint} {reason}");
        let listings = stage.requests_to("events.list");
        stage
            .execute("update sync_state set dirty_seq = dirty_seq + 1, not_before = now()")
            .await;
        stage.pull_all().await;
        assert_eq!(
            stage.requests_to("events.list"),
            listings + 2,
            "{endpoint} {reason}"
        );
        stage.execute("delete from quota_pauses").await;
        stage.google.clear_faults();
    }
}
