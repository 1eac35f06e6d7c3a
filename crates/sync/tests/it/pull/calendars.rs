//! The calendar list, the horizon, and reading.

use chrono::{Days, TimeDelta};
use common::worker::Pass;
use event_model::wire::{Change, Window};
use event_model::zone::Zone;
use google_emulator::seed::{AccessRole, SeedCalendar};
use serde_json::json;
use sqlx::PgPool;
use sync::read::{self, Duplicates};
use sync::{calendar_list, pull};

use crate::world::{ALICE, TEAM, World, alice, bob};

fn extra() -> SeedCalendar {
    SeedCalendar {
        id: "extra@group.calendar.google.com".into(),
        summary: "Extra".into(),
        description: None,
        time_zone: "Europe/Berlin".into(),
        access_role: AccessRole::Owner,
        primary: false,
        background_color: "#000000".into(),
        foreground_color: "#ffffff".into(),
        push_supported: true,
        events: Vec::new(),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn added_calendars_are_mirrored_and_removed_ones_hidden(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let extra = extra();
    world.google.add_calendar(ALICE, &extra).unwrap();
    world.add(&extra.id, world.event("Elsewhere", 1, 9));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), &extra.id).await;
    assert_eq!(
        world.message_types(&alice()).await,
        ["calendars.changed", "events.changed"]
    );

    world.google.remove_calendar(ALICE, &extra.id).unwrap();
    world.push_and_settle(&alice()).await;
    assert!(world.calendar(&alice(), &extra.id).await.access_lost_at.is_some());
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
    assert!(world.day(&alice(), 1).await.is_empty());
    let listings = world.listings();
    world.push_and_settle(&alice()).await;
    assert_eq!(
        world.listings(),
        listings + 2,
        "the remaining calendars, and not this one"
    );

    world.google.add_calendar(ALICE, &extra).unwrap();
    world.push_and_settle(&alice()).await;
    assert!(world.calendar(&alice(), &extra.id).await.access_lost_at.is_none());
    assert_eq!(world.day(&alice(), 1).await.len(), 1);
    assert!(world.listings() > listings + 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn expired_list_token_finds_calendars_removed_since(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.google.remove_calendar(ALICE, TEAM).unwrap();
    let gone = google_emulator::Fault::Error {
        status: 410,
        reason: Some("fullSyncRequired".into()),
        message: None,
        retry_after: None,
    };
    world.fault(google_emulator::Rule::new("calendarList.list", gone).times(1));
    world.push_and_settle(&alice()).await;
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_some());
    assert!(world.calendar(&alice(), ALICE).await.access_lost_at.is_none());
    let messages = world.message_types(&alice()).await;
    assert_eq!(messages.first(), Some(&"calendars.changed"), "{messages:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deselected_calendar_is_neither_pulled_nor_shown(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 9));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let team = world.id(&alice(), TEAM).await;
    let select = async |user: common::ids::UserId, selected: bool| {
        let mut tx = world.pool.begin().await.unwrap();
        let changed = calendar_list::select(&mut tx, world.clock.now(), &user, &[team], selected)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        changed.len()
    };
    assert_eq!(select(bob(), false).await, 0, "not Bob's calendar");
    assert_eq!(select(alice(), false).await, 1);
    assert_eq!(select(alice(), false).await, 0, "no change, no message");
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
    assert!(world.day(&alice(), 1).await.is_empty());
    world.add(TEAM, world.event("Unseen", 1, 10));
    let listings = world.listings();
    world.push_and_settle(&alice()).await;
    assert_eq!(world.listings(), listings + 1);
    assert_eq!(select(alice(), true).await, 1);
    world.settle().await;
    assert_eq!(world.day(&alice(), 1).await.len(), 2);
    assert_eq!(
        world.message_types(&alice()).await,
        ["calendars.changed", "events.changed"]
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_zone_or_role_re_expands_a_calendar(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, json!({"summary": "A day", "start": {"date": world.today()}, "end": {"date": world.today() + Days::new(1)}}));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let event = &world
        .read(
            &alice(),
            Window {
                from: world.at(0, 0),
                to: world.at(1, 0),
            },
        )
        .await[0];
    assert!(event.view.can_edit.contains(&"title".to_owned()));
    world
        .google
        .patch_calendar(ALICE, TEAM, json!({"accessRole": "reader"}))
        .unwrap();
    world.push_and_settle(&alice()).await;
    while pull::extend_horizon_once(&world.ctx).await.unwrap() == Pass::Worked {}
    let event = &world
        .read(
            &alice(),
            Window {
                from: world.at(0, 0),
                to: world.at(1, 0),
            },
        )
        .await[0];
    assert!(event.view.can_edit.is_empty(), "{:?}", event.view.can_edit);
    let changes = world.messages(&alice()).await;
    let expanded = changes.iter().rev().find_map(|change| match change {
        Change::EventsChanged { upserted, .. } => upserted.first(),
        _ => None,
    });
    let expanded = expanded.unwrap_or_else(|| panic!("{changes:?}"));
    assert!(expanded.events[0].view.0.can_edit.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn horizon_is_extended_and_reads_reach_beyond_it(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut weekly = world.event("Weekly", 0, 9);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY"]);
    let master = world.add(ALICE, weekly);
    world.add(ALICE, world.event("Far away", 3_000, 9));
    world.push_and_settle(&alice()).await;
    let last = async || -> chrono::DateTime<chrono::Utc> {
        sqlx::query_scalar("select max(ends_at) - interval '1 hour' from instances where event_id = $1")
            .bind(&master)
            .fetch_one(&world.pool)
            .await
            .unwrap()
    };
    let before = last().await;
    assert!(before > world.at(380, 0) && before < world.at(400, 0));
    let around = |days: u64| Window {
        from: world.at(days - 3, 0),
        to: world.at(days + 4, 0),
    };
    let titles = async |days: u64| -> Vec<String> {
        world
            .read(&alice(), around(days))
            .await
            .into_iter()
            .map(|event| event.view.title)
            .collect()
    };
    assert_eq!(titles(7).await, ["Weekly"]);
    assert_eq!(titles(700).await, ["Weekly"], "beyond the rows");
    assert_eq!(titles(3_000).await, ["Far away", "Weekly"]);
    assert_eq!(pull::extend_horizon_once(&world.ctx).await.unwrap(), Pass::Idle);
    world.clock.advance(TimeDelta::days(40));
    assert_eq!(pull::extend_horizon_once(&world.ctx).await.unwrap(), Pass::Worked);
    assert_eq!(pull::extend_horizon_once(&world.ctx).await.unwrap(), Pass::Idle);
    assert!(last().await > before + TimeDelta::days(30));
    let first: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select min(starts_at) from instances where event_id = $1")
            .bind(&master)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert!(
        first > world.clock.now() - TimeDelta::days(33),
        "past instances have no rows"
    );
    assert!(
        world.messages(&alice()).await.len() == 1,
        "extending the horizon sends no message"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn series_are_read_beyond_their_rows_before_re_expansion(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let start = world.at(0, 9) - TimeDelta::days(140);
    world.add(
        ALICE,
        json!({
            "summary": "Weekly",
            "start": {"dateTime": start, "timeZone": "Europe/Berlin"},
            "end": {"dateTime": start + TimeDelta::hours(1), "timeZone": "Europe/Berlin"},
            "recurrence": ["RRULE:FREQ=WEEKLY"],
        }),
    );
    world.push_and_settle(&alice()).await;
    let read = async || {
        let window = Window {
            from: start - TimeDelta::days(1),
            to: world.at(700, 0),
        };
        let events = world.read(&alice(), window).await;
        events.into_iter().map(|event| event.start).collect::<Vec<_>>()
    };
    let before = read().await;
    assert_eq!(before.len(), (140 + 700) / 7);
    let mut conn = world.pool.acquire().await.unwrap();
    store::sync_state::invalidate_expansion(&mut conn, &[world.id(&alice(), ALICE).await])
        .await
        .unwrap();
    assert_eq!(read().await, before);
}

/// Two calendars whose horizon lags behind; `TEAM` is due first.
async fn two_behind(pool: PgPool) -> World {
    let world = World::of_alice(pool).await;
    for calendar in [TEAM, ALICE] {
        world.add(calendar, world.event("Event", 1, 9));
    }
    world.push_and_settle(&alice()).await;
    sqlx::query("update sync_state set horizon_until = case when resource_id = $1 then null else $2 end")
        .bind(world.id(&alice(), TEAM).await.as_uuid())
        .bind(world.clock.now())
        .execute(&world.pool)
        .await
        .unwrap();
    world
}

/// Whether a calendar is expanded up to the horizon and not leased.
async fn is_expanded(world: &World, calendar: &str) -> (bool, bool) {
    sqlx::query_as(
        "select coalesce(horizon_until > $2, false), lease_token is null from sync_state where resource_id = $1",
    )
    .bind(world.id(&alice(), calendar).await.as_uuid())
    .bind(world.clock.now())
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn calendar_waiting_for_expansion_is_still_pulled(pool: PgPool) {
    let world = two_behind(pool).await;
    let mut busy = world.pool.begin().await.unwrap();
    store::calendars::lock(&mut busy, world.id(&alice(), TEAM).await)
        .await
        .unwrap();
    let expanding = tokio::spawn({
        let ctx = world.ctx.clone();
        async move { pull::extend_horizon_once(&ctx).await }
    });
    while is_expanded(&world, TEAM).await.1 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    world.add(ALICE, world.event("Meanwhile", 1, 10));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    busy.rollback().await.unwrap();
    assert_eq!(expanding.await.unwrap().unwrap(), Pass::Worked);
    assert_eq!(is_expanded(&world, TEAM).await, (true, true));
    assert_eq!(is_expanded(&world, ALICE).await, (true, true));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn failed_expansion_releases_its_calendar_and_delays_no_other(pool: PgPool) {
    let world = two_behind(pool).await;
    let team = world.id(&alice(), TEAM).await;
    for sql in [
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$"
            .to_owned(),
        format!(
            "create trigger refuse before insert or update on instances for each row
             when (new.calendar_id = '{team}') execute function refuse()"
        ),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let error = pull::extend_horizon_once(&world.ctx).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(is_expanded(&world, TEAM).await, (false, true));
    assert_eq!(is_expanded(&world, ALICE).await, (true, true));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn duplicates_are_read_once_and_limits_count_meetings(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for hour in 0..20 {
        let mut meeting = world.event(&format!("Meeting {hour:02}"), 1, hour);
        meeting["id"] = json!(format!("meeting{hour:02}"));
        for calendar in [TEAM, ALICE] {
            world.add(calendar, meeting.clone());
        }
    }
    world.push_and_settle(&alice()).await;
    let read = async |limit, duplicates| {
        let query = read::Query {
            window: Window {
                from: world.at(1, 0),
                to: world.at(2, 0),
            },
            zone: Zone::UTC,
            calendars: None,
            types: None,
            limit,
            duplicates,
        };
        let mut conn = world.pool.acquire().await.unwrap();
        read::events(&mut conn, world.clock.now(), &alice(), &query)
            .await
            .unwrap()
    };
    let each = read(100, Duplicates::Separate).await;
    assert_eq!(each.len(), 40);
    assert!(each.iter().all(|event| event.copies.is_empty()));
    let own = world.id(&alice(), ALICE).await;
    for limit in [1, 7, 19, 20, 100] {
        let meetings = read(limit, Duplicates::Merged).await;
        assert_eq!(meetings.len(), limit.min(20));
        for (hour, meeting) in meetings.iter().enumerate() {
            assert_eq!(meeting.view.title, format!("Meeting {hour:02}"));
            let copies: Vec<_> = meeting.copies.iter().map(|copy| copy.calendar_id).collect();
            assert_eq!((meeting.calendar_id, copies.len(), copies[0]), (own, 2, own));
        }
    }
}

/// As many days as `getEvents` accepts, most of them beyond the rows.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_daily_series_is_read_over_eleven_years(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut daily = world.event("Daily", 0, 9);
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    world.add(ALICE, daily);
    world.push_and_settle(&alice()).await;
    let query = read::Query {
        window: Window {
            from: world.at(0, 0),
            to: world.at(4_017, 0),
        },
        zone: Zone::UTC,
        calendars: None,
        types: None,
        limit: 5_001,
        duplicates: Duplicates::Merged,
    };
    let mut conn = world.pool.acquire().await.unwrap();
    let events = read::events(&mut conn, world.clock.now(), &alice(), &query)
        .await
        .unwrap();
    assert_eq!(events.len(), 4_017);
}
