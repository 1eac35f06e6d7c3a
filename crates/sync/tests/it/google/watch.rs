//! Promise 11: the life cycle of a channel.

use super::stage::{ALICE, HOLIDAYS, Stage, WEBHOOK, create_channels, stop_channels, user_id, watched};
use crate::world::pull_once;
use chrono::{DateTime, TimeDelta, Utc};
use common::worker::Pass;
use google_emulator::seed::SeedCalendar;
use google_emulator::{Fault, Rule, Settings};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use store::sync_state::{Cause, Kind};
use store::watches::{self, Begun, Granted, NewWatch, Wanted};
use store::{connections, sync_state, user_stream};
use sync::{Context, calendar_list, poll, watch};

async fn in_state(stage: &Stage, state: &str) -> i64 {
    sqlx::query_scalar("select count(*) from watches where state = $1")
        .bind(state)
        .fetch_one(&stage.ctx.pool)
        .await
        .unwrap()
}

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
    let other = stage.another();
    for _ in 0..3 {
        let (one, two) = tokio::join!(watch::run_once(&stage.ctx), watch::run_once(&other));
        one.unwrap();
        two.unwrap();
    }
    assert_eq!(stage.google.channels().len(), 2);
    assert_eq!(stage.requests_to("calendarList.watch"), 1);
    // Once for the primary calendar, once for the unwatchable one.
    assert_eq!(stage.requests_to("events.watch"), 2);
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
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
    let wanted = watches::wanted(&mut conn, healthy, 10).await.unwrap();
    assert_eq!(wanted.len(), 2);
    // Another renewer creates them first.
    create_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 4);
    for wanted in &wanted {
        assert!(!watch::open(&stage.ctx, wanted).await.unwrap());
    }
    assert_eq!(stage.google.channels().len(), 4);
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
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
    receive_push(&stage).await;
    create_channels(&stage).await;
    assert_eq!(in_state(&stage, "live").await, 2);
    assert_eq!(in_state(&stage, "replaced").await, 0);

    stage.pass(TimeDelta::hours(7 * 24) / 10);
    receive_push(&stage).await;
    create_channels(&stage).await;
    // Both push until the old ones are stopped.
    assert_eq!(stage.google.channels().len(), 4);
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "replaced").await),
        (2, 2)
    );
    stop_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 2);
    assert_eq!(in_state(&stage, "stopped").await, 2);
    let early: i64 = stage.one("select count(*) from watches where state = 'live' and expires_at - renew_at < (expires_at - created_at) * 0.199").await;
    assert_eq!(early, 0);

    stage.pass(TimeDelta::days(3));
    poll::purge_once(&stage.ctx).await.unwrap();
    assert_eq!(stage.one::<i64>("select count(*) from watches").await, 2);
}

async fn receive_push(stage: &Stage) {
    sqlx::query("update sync_state set last_push_at = $1")
        .bind(stage.now())
        .execute(&stage.ctx.pool)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn failed_renewal_keeps_the_old_channel_and_is_retried(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::days(6));
    receive_push(&stage).await;
    let rule = stage.google.fault(refused(500, "backendError"));
    create_channels(&stage).await;
    assert_eq!(
        in_state(&stage, "replaced").await,
        1,
        "the calendar list's, whose renewal succeeded"
    );
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
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
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
        (2, 0)
    );
    stop_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channel_is_adopted_by_its_push_after_a_crash(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    stage
        .google
        .fault(Rule::new("calendarList.watch", Fault::Reset { after: true }).times(1));
    create_channels(&stage).await;
    assert_eq!(in_state(&stage, "pending").await, 1);
    assert_eq!(stage.google.channels().len(), 2, "Google has created it anyway");

    // As webhook-ingest does on the channel's first push.
    let channel: String = stage
        .one("select channel_id from watches where state = 'pending'")
        .await;
    let expires_at: DateTime<Utc> = stage.now() + TimeDelta::days(7);
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    store::intake::adopt(&mut conn, &channel, "res", Some(expires_at))
        .await
        .unwrap();
    stage.pass(TimeDelta::minutes(3));
    create_channels(&stage).await;
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
        (2, 0)
    );
    assert_eq!(stage.requests_to("calendarList.watch"), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn crash_without_a_push_creates_another_channel(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    create_channels(&stage).await;
    // As a renewer leaves it that died during its request to Google.
    stage
        .execute("update watches set state = 'pending', google_resource_id = null, leased_until = now() + interval '1 hour'")
        .await;
    create_channels(&stage).await;
    assert_eq!(in_state(&stage, "pending").await, 2, "the lease is still held");
    stage
        .execute("update watches set leased_until = now() - interval '1 second'")
        .await;
    create_channels(&stage).await;
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "replaced").await),
        (2, 2)
    );
    // Their resource ids are unknown, so they cannot be stopped. The rows are purged after the channels have expired.
    stop_channels(&stage).await;
    assert_eq!(in_state(&stage, "replaced").await, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn abandoned_request_is_settled_although_the_old_channel_works_again(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::hours(13));
    for endpoint in ["calendarList.watch", "events.watch"] {
        stage
            .google
            .fault(Rule::new(endpoint, Fault::Reset { after: true }).times(1));
    }
    create_channels(&stage).await;
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
        (2, 2)
    );
    receive_push(&stage).await;
    stage.pass(TimeDelta::minutes(3));
    create_channels(&stage).await;
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "pending").await),
        (2, 0)
    );
    create_channels(&stage).await;
    assert_eq!(stage.requests_to("events.watch"), 4, "not more than once");
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
    assert_eq!(in_state(&stage, "live").await, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn silent_channels_and_missed_pushes_replace_the_channel(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pass(TimeDelta::hours(11));
    create_channels(&stage).await;
    assert_eq!(in_state(&stage, "replaced").await, 0);
    stage.pass(TimeDelta::hours(2));
    create_channels(&stage).await;
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "replaced").await),
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
    assert_eq!(in_state(&stage, "replaced").await, 0, "the push may still arrive");
    stage.pass(TimeDelta::minutes(6));
    create_channels(&stage).await;
    assert_eq!(in_state(&stage, "replaced").await, 1);
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
    assert_eq!(watch::run_once(&stage.ctx).await.unwrap(), Pass::Idle);
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

/// Waits until another transaction waits for this one.
async fn until_waited_for(conn: &mut PgConnection) {
    let waited_for =
        "select exists (select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid)))";
    while !sqlx::query_scalar::<_, bool>(waited_for)
        .fetch_one(&mut *conn)
        .await
        .unwrap()
    {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn deselect(ctx: Context, calendar: uuid::Uuid) -> sqlx::Result<()> {
    let mut tx = ctx.pool.begin().await?;
    calendar_list::select(
        &mut tx,
        ctx.clock.now(),
        &user_id("alice"),
        &[calendar.into()],
        false,
    )
    .await?;
    tx.commit().await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn granted_channel_and_deselected_calendar_do_not_deadlock(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pull_all().await;
    let primary: uuid::Uuid = stage.one("select id from calendars where is_primary").await;
    let wanted = Wanted {
        resource_id: primary.into(),
        connection_id: stage.one::<uuid::Uuid>("select id from connections").await.into(),
        user_id: user_id("alice"),
        kind: Kind::Events,
        google_calendar_id: Some(ALICE.into()),
        replaces: Some(
            sqlx::query_scalar("select channel_id from watches where resource_id = $1")
                .bind(primary)
                .fetch_one(&stage.ctx.pool)
                .await
                .unwrap(),
        ),
    };
    let new = NewWatch {
        channel_id: "new",
        token_sha256: &[1],
        address: WEBHOOK,
    };
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let lease = std::time::Duration::from_mins(1);
    let begun = watches::begin(&mut tx, stage.now(), &wanted, &new, lease)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let Begun::Make(lease) = begun else {
        panic!("{begun:?}")
    };
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let granted = Granted {
        google_resource_id: "res",
        expires_at: stage.now() + TimeDelta::days(7),
        renew_at: stage.now() + TimeDelta::days(5),
    };
    assert!(
        watches::settle(&mut tx, &lease, primary.into(), &granted)
            .await
            .unwrap()
    );
    let dropping = tokio::spawn(deselect(stage.ctx.clone(), primary));
    until_waited_for(&mut tx).await;
    let due = sync_state::mark_dirty(&mut tx, stage.now(), &[primary.into()], Cause::Watch).await;
    assert_eq!(due.unwrap(), 1);
    tx.commit().await.unwrap();
    dropping.await.unwrap().unwrap();
    // The calendar list's channel is left.
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "replaced").await),
        (1, 2)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn disconnected_account_and_dropped_calendar_do_not_deadlock(pool: PgPool) {
    let stage = watched(pool).await;
    let team = json!({"id": "team@group.calendar.google.com", "summary": "Team"});
    let team: SeedCalendar = serde_json::from_value(team).unwrap();
    stage.google.add_calendar(ALICE, &team).unwrap();
    stage
        .execute("update sync_state set dirty_seq = dirty_seq + 1")
        .await;
    stage.pull_all().await;
    create_channels(&stage).await;
    stage.pull_all().await;
    assert_eq!(in_state(&stage, "live").await, 3);
    let primary: uuid::Uuid = stage.one("select id from calendars where is_primary").await;
    stage.google.remove_calendar(ALICE, &team.id).unwrap();
    stage
        .execute("update sync_state set dirty_seq = dirty_seq + 1 where kind = 'calendar_list'")
        .await;

    // By the user, then by Google.
    for by_google in [false, true] {
        let mut tx = stage.ctx.pool.begin().await.unwrap();
        let lease = std::time::Duration::from_mins(1);
        let disconnecting = connections::disconnect(&mut tx, stage.now(), &user_id("alice"), None, lease)
            .await
            .unwrap();
        watches::replace_of_connections(&mut tx, &[disconnecting[0].lease.key])
            .await
            .unwrap();
        let ctx = stage.ctx.clone();
        let dropping = tokio::spawn(async move {
            if by_google {
                pull_once(&ctx).await.map(drop)
            } else {
                deselect(ctx, primary).await
            }
        });
        until_waited_for(&mut tx).await;
        user_stream::next_seq(&mut tx, &user_id("alice")).await.unwrap();
        // The account stays for the second round.
        tx.rollback().await.unwrap();
        dropping.await.unwrap().unwrap();
    }
    let failed: i64 = stage
        .one("select count(*) from sync_state where last_error is not null or attempts > 0")
        .await;
    assert_eq!(failed, 0);
    assert_eq!(
        (in_state(&stage, "live").await, in_state(&stage, "replaced").await),
        (1, 2)
    );
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
    assert_eq!(in_state(&stage, "stopped").await, 2);
    assert_eq!(stage.requests_to("channels.stop"), 16);
}
