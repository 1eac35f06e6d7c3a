//! Limits, refusals and slowness of Google: each affects only what it is about.

use std::time::Duration;

use event_model::wire::ConnectionState;
use google::{Endpoints, Google, GoogleConfig};
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;

use crate::world::{ALICE, BOB, TEAM, World, alice, bob};

fn error(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.into()),
        message: None,
        retry_after: Some(600),
    }
}

/// Both users, connected and imported.
async fn of_both(pool: PgPool) -> World {
    let world = World::new(pool).await;
    for user in [alice(), bob()] {
        world.connect(&user).await;
    }
    world.settle().await;
    world
}

async fn paused(world: &World) -> Vec<String> {
    sqlx::query_scalar("select bucket from quota_pauses where until > now() order by bucket")
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

/// Google gives `rateLimitExceeded` also for a limit on one account or one calendar:
/// <https://github.com/Atrejoe/Inky-Calendar-Server/issues/104>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unnamed_limit_pauses_only_the_account_that_met_it(pool: PgPool) {
    let world = of_both(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    let fault = Rule::new("events.list", error(403, "rateLimitExceeded"));
    world.fault(fault.of_user(ALICE).times(1));
    world.push_and_settle(&alice()).await;
    assert_eq!(paused(&world).await, ["user:alice@example.com"]);
    world.push_and_settle(&bob()).await;
    assert_eq!(world.last_error(&bob(), BOB).await, None);
    world.assert_in_step(&bob(), TEAM).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn several_accounts_with_an_unnamed_limit_pause_the_project(pool: PgPool) {
    let world = of_both(pool).await;
    sqlx::query(
        "insert into quota_pauses (bucket, until, unnamed_at)
         select 'user:' || n, now(), now() - n * interval '1 second' from generate_series(1, 2) n",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let fault = Rule::new("events.list", error(403, "rateLimitExceeded"));
    world.fault(fault.of_user(ALICE).times(1));
    world.push_and_settle(&alice()).await;
    assert_eq!(paused(&world).await, ["project", "user:alice@example.com"]);
    let short: bool = sqlx::query_scalar(
        "select until < now() + interval '1 minute' from quota_pauses where bucket = 'project'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert!(short, "the account's 600 seconds are not the project's");
}

/// <https://github.com/calcom/cal.diy/issues/18079>
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_limit_is_whose_its_name_says(pool: PgPool) {
    let world = of_both(pool).await;
    for (limit, bucket) in [
        ("Queries per minute per user", "user:alice@example.com"),
        ("Queries per minute", "project"),
    ] {
        let fault = Fault::NamedLimit { limit: limit.into() };
        world.fault(Rule::new("events.list", fault).of_user(ALICE).times(1));
        world.push_and_settle(&alice()).await;
        assert_eq!(paused(&world).await, [bucket], "{limit}");
        sqlx::query("delete from quota_pauses")
            .execute(&world.pool)
            .await
            .unwrap();
        world.let_time_pass().await;
        world.settle().await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_refusal_of_a_calendar_hides_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    for (status, reason) in [(404, "notFound"), (403, "forbidden")] {
        world.fault(
            Rule::new("events.list", error(status, reason))
                .of_calendar(TEAM)
                .times(1),
        );
        world.push_and_settle(&alice()).await;
        assert_eq!(
            world.last_error(&alice(), TEAM).await.as_deref(),
            Some("access_doubtful")
        );
        assert_eq!(world.day(&alice(), 1).await.len(), 1, "{reason}");
        world.let_time_pass().await;
        world.settle().await;
        assert_eq!(world.last_error(&alice(), TEAM).await, None, "{reason}");
    }
    assert!(world.messages(&alice()).await.is_empty());
}

/// The list of calendars is read at once, so the second answer need not be waited for.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_refusal_that_the_calendar_list_confirms_is_believed(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    world.google.remove_calendar(ALICE, TEAM).unwrap();
    let calendar = world.id(&alice(), TEAM).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let cause = store::sync_state::Cause::Push;
    store::sync_state::mark_dirty(&mut conn, world.clock.now(), &[calendar.into()], cause)
        .await
        .unwrap();
    world.settle().await;
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_some());
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pages_become_smaller_after_two_timeouts(pool: PgPool) {
    let mut world = World::with_page_size(pool, 100).await;
    let client = world.google.client().clone();
    let mut config = GoogleConfig::new(client.id, client.secret.into());
    config.endpoints = Endpoints::at(&world.google.base_url().parse().unwrap());
    config.timeout = Duration::from_millis(700);
    world.ctx.google = Google::new(config).unwrap();
    world.connect(&alice()).await;
    world.settle().await;
    for hour in 0..20 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    // A page of 100 takes a second, one of ten a tenth of that.
    let slow = Fault::SlowPage { ms_per_event: 10 };
    world.fault(Rule::new("events.list", slow).of_calendar(ALICE));
    world.push_and_settle(&alice()).await;
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("page_timed_out")
    );
    world.let_time_pass().await;
    world.settle().await;
    assert_eq!(world.last_error(&alice(), ALICE).await, None);
    world.assert_in_step(&alice(), ALICE).await;
    // The sync token of the smaller pages is used with them.
    world.add(ALICE, world.event("Event", 2, 8));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
}

/// <https://github.com/closeio/sync-engine/pull/462>
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn account_without_calendar_has_a_state_of_its_own(pool: PgPool) {
    let world = World::new(pool).await;
    world.fault(Rule::new("calendarList.list", error(403, "notACalendarUser")));
    world.connect(&alice()).await;
    world.messages(&alice()).await;
    let state = async || {
        let mut conn = world.pool.acquire().await.unwrap();
        let connections = store::connections::of_user(&mut conn, &alice()).await.unwrap();
        sync::connections::state(&connections[0], world.clock.now())
    };
    for _ in 0..2 {
        world.settle().await;
        assert_eq!(state().await, ConnectionState::CalendarOff);
        world.let_time_pass().await;
    }
    let messages = world.messages(&alice()).await;
    assert_eq!(json!(messages)[0]["state"], "calendar_off");
    assert_eq!(messages.len(), 1);
    world.google.clear_faults();
    world.let_time_pass().await;
    world.settle().await;
    assert_eq!(state().await, ConnectionState::Healthy);
}

/// Google words a refusal of the project as `forbidden`: <https://github.com/fullcalendar/fullcalendar/issues/6673>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_refusal_of_the_project_hides_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    world.fault(Rule::new("*", error(403, "CONSUMER_SUSPENDED")));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(
        world.last_error(&alice(), TEAM).await.as_deref(),
        Some("client_misconfigured")
    );
    assert_eq!(world.day(&alice(), 1).await.len(), 1);
    assert!(world.messages(&alice()).await.is_empty());
    world.google.clear_faults();
    world.let_time_pass().await;
    world.push_and_settle(&alice()).await;
    assert_eq!(world.last_error(&alice(), TEAM).await, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_refused_calendar_stays_until_its_list_is_read(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let refused = || Rule::new("events.list", error(403, "forbidden")).of_calendar(TEAM);
    world.fault(refused());
    world.fault(Rule::new("calendarList.list", error(403, "forbidden")));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(world.day(&alice(), 1).await.len(), 1);
    assert!(world.messages(&alice()).await.is_empty());
    world.google.clear_faults();
    world.fault(refused());
    for _ in 0..3 {
        world.let_time_pass().await;
        world.push_and_settle(&alice()).await;
    }
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_some());
}
