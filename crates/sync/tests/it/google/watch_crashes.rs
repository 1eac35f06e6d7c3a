//! Channels whose renewer died during the request.

use chrono::{DateTime, TimeDelta, Utc};
use google_emulator::{Fault, Rule};
use sqlx::PgPool;

use super::stage::{ALICE, Stage, create_channels, stop_channels, watched};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn channel_is_adopted_by_its_push_after_a_crash(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    stage
        .google
        .fault(Rule::new("calendarList.watch", Fault::Reset { after: true }).times(1));
    create_channels(&stage).await;
    assert_eq!(stage.count_channels("pending").await, 1);
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
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
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
    assert_eq!(
        stage.count_channels("pending").await,
        2,
        "the lease is still held"
    );
    stage
        .execute("update watches set leased_until = now() - interval '1 second'")
        .await;
    create_channels(&stage).await;
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("replaced").await
        ),
        (2, 2)
    );
    // Their resource ids are unknown, so they cannot be stopped. The rows are purged after the channels have expired.
    stop_channels(&stage).await;
    assert_eq!(stage.count_channels("replaced").await, 2);
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
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 2)
    );
    stage.receive_push().await;
    stage.pass(TimeDelta::minutes(3));
    create_channels(&stage).await;
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("pending").await
        ),
        (2, 0)
    );
    create_channels(&stage).await;
    assert_eq!(stage.requests_to("events.watch"), 4, "not more than once");
}
