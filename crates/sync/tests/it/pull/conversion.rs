//! The upgrade from a version that stored a payload per instance: its database is served while it is converted, also while its
//! services still write. Google is not asked.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{CalendarId, UserId};
use common::worker::Pass;
use event_model::expansion::{self, overlaps};
use event_model::normal_form;
use event_model::wire::{Event, Window};
use event_model::zone::Zone;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sync::pull::{self, Converter};
use sync::read;

use crate::world::{World, alice, berlin, bob};

/// The last migration of the version before.
const BEFORE: i64 = 20_261_130_150_000;

/// The rows that services of that version wrote, with the instances as they expanded them.
const WRITTEN: &str = include_str!("version_before.sql");

/// When they wrote it.
const NOW: &str = "2026-11-30T12:00:00Z";

/// Instances by calendar and id, as JSON.
type Shown = BTreeMap<(CalendarId, String), Value>;

struct Upgrade {
    world: World,
    converter: Converter,
}

impl Upgrade {
    /// A database of the version before, migrated.
    async fn new(pool: PgPool) -> Self {
        let before = store::MIGRATOR
            .iter()
            .filter(|migration| migration.version <= BEFORE);
        Migrator::with_migrations(before.cloned().collect())
            .run(&pool)
            .await
            .unwrap();
        sqlx::raw_sql(WRITTEN).execute(&pool).await.unwrap();
        store::MIGRATOR.run(&pool).await.unwrap();
        let world = World::new(pool).await;
        let now: DateTime<Utc> = NOW.parse().unwrap();
        world.clock.advance(now - world.clock.now());
        Self {
            converter: Converter::new(world.ctx.clone()),
            world,
        }
    }

    async fn read(
        &self,
        user: &UserId,
        (window, zone): (Window, Zone),
        duplicates: read::Duplicates,
    ) -> Vec<Event> {
        let mut conn = self.world.pool.acquire().await.unwrap();
        let query = query(window, zone, duplicates);
        read::events(&mut conn, self.world.clock.now(), user, &query)
            .await
            .unwrap()
    }

    async fn snapshot(&self, user: &UserId, (window, zone): (Window, Zone)) -> Shown {
        let mut conn = self.world.pool.acquire().await.unwrap();
        let query = query(window, zone, read::Duplicates::Separate);
        let snapshot = read::snapshot(&mut conn, self.world.clock.now(), user, &query)
            .await
            .unwrap();
        assert_eq!(snapshot.until, None);
        let series = snapshot.series.iter();
        shown(
            series.flat_map(|(&calendar, all)| {
                all.iter().flat_map(move |one| normal_form::events(calendar, one))
            }),
        )
    }

    /// The events that the version before had stored for this window.
    async fn stored(&self, user: &UserId, (window, zone): (Window, Zone)) -> Shown {
        let payloads: Vec<Value> = sqlx::query_scalar(
            "select payload from occurrences o join sync_state s on (resource_id, s.generation) = (calendar_id, o.generation)
             where o.user_id = $1",
        )
        .bind(user.as_str())
        .fetch_all(&self.world.pool)
        .await
        .unwrap();
        let events = payloads
            .into_iter()
            .map(|payload| serde_json::from_value::<Event>(payload).unwrap());
        shown(events.filter(|event| touches(event, window, zone)))
    }

    /// Every answer is as the version before had stored it, within the horizon and beyond.
    async fn assert_all_as_stored(&self) {
        let horizon = expansion::horizon(self.world.clock.now());
        for user in [alice(), bob()] {
            self.assert_window_as_stored(&user, horizon, berlin()).await;
        }
        self.assert_as_stored().await;
    }

    /// As [`Self::assert_all_as_stored`], without most of the five thousand instances of the series that is cut.
    async fn assert_as_stored(&self) {
        for (window, zone) in windows() {
            self.assert_window_as_stored(&alice(), window, zone).await;
        }
        assert!(self.is_cut().await);
    }

    async fn assert_window_as_stored(&self, user: &UserId, window: Window, zone: Zone) {
        let window = (window, zone);
        let stored = self.stored(user, window).await;
        assert!(!stored.is_empty(), "{window:?}");
        let events = self.read(user, window, read::Duplicates::Separate).await;
        assert_eq!(events.len(), stored.len(), "{window:?}");
        assert_equal(&shown(events.into_iter()), &stored);
        assert_equal(&self.snapshot(user, window).await, &stored);
    }

    /// Whether reads say that a series may lack instances.
    async fn is_cut(&self) -> bool {
        let mut conn = self.world.pool.acquire().await.unwrap();
        let now = self.world.clock.now();
        let evidence = store::calendars::evidence(&mut conn, now, &alice(), None)
            .await
            .unwrap();
        read::may_lack_instances(&evidence, now, expansion::horizon(now))
    }

    async fn convert(&self) -> Pass {
        self.converter.run_once().await.unwrap()
    }

    async fn convert_all(&self) {
        while self.convert().await == Pass::Worked {}
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.world.pool).await.unwrap();
    }

    /// Events without a view, in every generation.
    async fn unconverted(&self) -> i64 {
        self.count("select count(*) from events where view is null").await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.world.pool).await.unwrap()
    }

    /// The starts of alice's events within ten days, by title.
    async fn starts(&self) -> BTreeMap<String, Vec<String>> {
        let from = self.world.clock.now();
        let to = from + TimeDelta::days(10);
        let window = (Window { from, to }, berlin());
        let mut titles = BTreeMap::<_, Vec<_>>::new();
        for event in self.read(&alice(), window, read::Duplicates::Separate).await {
            let starts = titles.entry(event.view.title).or_default();
            starts.push(event.start);
        }
        titles
    }
}

/// Within the horizon and beyond, as days begin in two zones.
fn windows() -> [(Window, Zone); 6] {
    let window = |from: &str, to: &str| Window {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let new_york = Zone::named("America/New_York").unwrap();
    [
        (window("2026-10-30T00:00:00Z", "2026-12-21T00:00:00Z"), new_york),
        (window("2026-12-06T23:00:00Z", "2026-12-07T23:00:00Z"), berlin()),
        (window("2026-12-24T05:00:00Z", "2026-12-25T05:00:00Z"), new_york),
        (window("2027-03-28T00:00:00Z", "2027-04-05T00:00:00Z"), berlin()),
        (window("2024-02-20T00:00:00Z", "2024-03-10T00:00:00Z"), berlin()),
        (window("2030-01-05T00:00:00Z", "2030-01-20T00:00:00Z"), berlin()),
    ]
}

fn query(window: Window, zone: Zone, duplicates: read::Duplicates) -> read::Query<'static> {
    read::Query {
        window,
        zone,
        calendars: None,
        types: None,
        limit: 10_000,
        duplicates,
    }
}

fn shown(events: impl Iterator<Item = Event>) -> Shown {
    events
        .map(|event| {
            let key = (event.calendar_id, event.id.clone());
            (key, serde_json::to_value(event).unwrap())
        })
        .collect()
}

/// Names the first difference: all of it would be megabytes.
fn assert_equal(found: &Shown, stored: &Shown) {
    for (key, event) in stored {
        assert_eq!(found.get(key), Some(event), "{key:?}");
    }
    let more: Vec<_> = found.keys().filter(|key| !stored.contains_key(key)).collect();
    assert!(more.is_empty(), "{more:?}");
}

fn touches(event: &Event, window: Window, zone: Zone) -> bool {
    if event.view.all_day {
        return expansion::all_day_overlaps(
            (event.start.parse().unwrap(), event.end.parse().unwrap()),
            window,
            zone,
        );
    }
    overlaps(event.start.parse().unwrap(), event.end.parse().unwrap(), window)
}

/// Field by field, in every window: before the conversion, after each slice of it, and at its end.
#[sqlx::test(migrations = false)]
async fn a_database_of_the_version_before_is_served_while_converted(pool: PgPool) {
    let upgrade = Upgrade::new(pool).await;
    upgrade.assert_all_as_stored().await;
    let window = (expansion::horizon(upgrade.world.clock.now()), berlin());
    let merged = upgrade.read(&alice(), window, read::Duplicates::Merged).await;
    assert!(merged.iter().any(|event| event.copies.len() == 2));

    let mut slices = 0;
    while upgrade.convert().await == Pass::Worked {
        slices += 1;
        upgrade.assert_as_stored().await;
    }
    assert!(slices > 4, "{slices}");
    assert_eq!(
        upgrade.read(&alice(), window, read::Duplicates::Merged).await,
        merged
    );

    assert_eq!(upgrade.unconverted().await, 2, "those of the stale generation");
    while pull::purge_once(&upgrade.world.ctx).await.unwrap() == Pass::Worked {}
    assert_eq!(upgrade.unconverted().await, 0);
    assert_eq!(upgrade.count("select count(*) from unconverted").await, 0);
    let kept = "select count(*) from instances where cut_at is not null or generation = 1";
    assert_eq!(upgrade.count(kept).await, 1, "the series that is cut");
    upgrade.assert_all_as_stored().await;
    assert!(upgrade.world.google.requests().is_empty());
}

/// The statements of the version before, which do not name views or instances.
const CHANGES: &str = r#"
    update events set etag = '"2"', raw = raw || '{"etag": "2", "summary": "Daily"}' where event_id = 'standup' and generation = 2;
    insert into events (calendar_id, generation, event_id, etag, status, recurring_event_id, original_start, raw)
        select calendar_id, generation, 'standup_20261207T081500Z', '"3"', 'confirmed', 'standup', '2026-12-07T09:15:00+01:00',
               raw || '{"id": "standup_20261207T081500Z", "etag": "3", "summary": "Later", "recurringEventId": "standup",
                        "originalStartTime": {"dateTime": "2026-12-07T09:15:00+01:00"},
                        "start": {"dateTime": "2026-12-07T12:00:00+01:00"}, "end": {"dateTime": "2026-12-07T13:00:00+01:00"}}'
        from events where event_id = 'standup_20261201T081500Z';
    update events set status = 'cancelled', raw = raw || '{"status": "cancelled"}' where event_id = 'standup_20261201T081500Z';
    delete from events where event_id = 'weekend' or recurring_event_id = 'weekend';
    delete from events where event_id = 'class_R20261212T170000' or recurring_event_id = 'class_R20261212T170000';
    delete from events where event_id = 'hourly';
    delete from events where event_id like 'note%';
"#;

#[sqlx::test(migrations = false)]
async fn changes_of_the_version_before_are_served_at_once(pool: PgPool) {
    let upgrade = Upgrade::new(pool).await;
    upgrade.convert_all().await;
    let before = upgrade.starts().await;
    assert_eq!(before["Standup"].len(), 5, "{before:?}");
    assert!(before.contains_key("Weekend"));

    upgrade.execute(CHANGES).await;
    let after = upgrade.starts().await;
    let daily =
        ["2026-12-02", "2026-12-08", "2026-12-09", "2026-12-10"].map(|day| format!("{day}T09:15:00+01:00"));
    assert_eq!(after["Daily"], &daily[1..]);
    assert_eq!(after["Later"], ["2026-12-07T12:00:00+01:00"]);
    assert!(
        !after.contains_key("Standup") && !after.contains_key("Weekend"),
        "{after:?}"
    );
    assert_eq!(after["Class"], before["Class"]);
    assert!(!upgrade.is_cut().await);
    assert!(upgrade.unconverted().await > 0);

    upgrade.convert_all().await;
    assert_eq!(upgrade.starts().await, after);
    while pull::purge_once(&upgrade.world.ctx).await.unwrap() == Pass::Worked {}
    assert_eq!(upgrade.unconverted().await, 0);
    let orphans = "select count(*) from instances where (calendar_id, generation, event_id) not in
                   (select calendar_id, generation, event_id from events)";
    assert_eq!(upgrade.count(orphans).await, 0);
    assert!(upgrade.world.google.requests().is_empty());
}

/// A calendar that cannot be converted stops no other, and its reads are right.
#[sqlx::test(migrations = false)]
async fn a_calendar_that_fails_does_not_stop_the_others(pool: PgPool) {
    let upgrade = Upgrade::new(pool).await;
    upgrade
        .execute(
            "create function fail() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;
             create trigger fail before insert on instances for each row
             when (new.calendar_id = '00000000-0000-0000-0000-0000000000a1') execute function fail()",
        )
        .await;
    assert!(upgrade.converter.run_once().await.is_err());
    upgrade.convert_all().await;
    let left = "select count(distinct calendar_id) from unconverted";
    assert_eq!(upgrade.count(left).await, 1);
    upgrade.assert_as_stored().await;
    assert!(upgrade.converter.run_once().await.is_err(), "it is tried again");

    upgrade.execute("drop trigger fail on instances").await;
    assert_eq!(upgrade.convert().await, Pass::Idle);
    upgrade.convert_all().await;
    upgrade.assert_as_stored().await;
    assert_eq!(
        upgrade
            .count("select count(*) from events where view is null and generation = 2")
            .await,
        0
    );
}

#[sqlx::test(migrations = false)]
async fn converters_pass_over_calendars_that_others_have_locked(pool: PgPool) {
    let upgrade = Upgrade::new(pool).await;
    let mut other = upgrade.world.pool.begin().await.unwrap();
    let mine = "00000000-0000-0000-0000-0000000000a1".parse().unwrap();
    store::calendars::lock(&mut other, mine).await.unwrap();
    upgrade.convert_all().await;
    assert_eq!(upgrade.count("select count(*) from unconverted").await, 1);
    other.rollback().await.unwrap();

    let second = Converter::new(upgrade.world.ctx.clone());
    let work = async |converter: &Converter| while converter.run_once().await.unwrap() == Pass::Worked {};
    tokio::join!(work(&upgrade.converter), work(&second));
    upgrade.convert_all().await;
    assert_eq!(upgrade.count("select count(*) from unconverted").await, 0);
    upgrade.assert_as_stored().await;
}
