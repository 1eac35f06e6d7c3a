//! Series that Google's page splits. The changes of the two series may arrive in any order and in several pulls, and both
//! give the same ids to the instances that they share (<https://github.com/odoo/odoo/pull/287171>).

use chrono::{DateTime, TimeDelta, Utc};
use event_model::expansion;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::convergence::Browser;
use crate::world::{ALICE, World, alice};

const FIRST: &str = "daily";

/// A series of thirty days and the page of a user, to which Google's changes arrive one by one.
struct Arrivals {
    world: World,
    browser: Browser,
}

impl Arrivals {
    async fn new(pool: PgPool) -> Self {
        let world = World::with_page_size(pool, 50).await;
        world.connect(&alice()).await;
        world.settle().await;
        world.messages(&alice()).await;
        let mut arrivals = Self {
            world,
            browser: Browser::default(),
        };
        let first = series(arrivals.start(0), FIRST, "First", "FREQ=DAILY;COUNT=30");
        arrivals.received(first).await;
        arrivals
    }

    /// The start of the instance on this day.
    fn start(&self, day: i64) -> DateTime<Utc> {
        self.world.at(1, 9) + TimeDelta::days(day)
    }

    async fn received(&mut self, event: Value) {
        self.world.google.receive(ALICE, ALICE, event).unwrap();
        self.arrive().await;
    }

    async fn patched(&mut self, id: &str, patch: Value) {
        self.world.google.patch(ALICE, ALICE, id, patch).unwrap();
        self.arrive().await;
    }

    async fn arrive(&mut self) {
        self.world.push_and_settle(&alice()).await;
        for change in self.world.messages(&alice()).await {
            self.browser.apply(&self.world, change).await;
        }
        let mut reloaded = Browser::default();
        reloaded.reload(&self.world).await;
        assert_eq!(self.browser.shown(), reloaded.shown(), "as a page that loads now");
    }

    /// Splits the series on this day, without a cut of the one before.
    async fn split(&mut self, day: i64, title: &str) -> String {
        let start = self.start(day);
        let id = format!("{FIRST}_R{}", start.format("%Y%m%dT%H%M%S"));
        let rule = format!("FREQ=DAILY;COUNT={}", 30 - day);
        self.received(series(start, &id, title, &rule)).await;
        id
    }

    async fn cut(&mut self, id: &str, count: i64) {
        let rule = format!("RRULE:FREQ=DAILY;COUNT={count}");
        self.patched(id, json!({"recurrence": [rule]})).await;
    }

    /// The titles of the days.
    async fn titles(&self) -> Vec<String> {
        let events = self
            .world
            .read(&alice(), expansion::hot_window(self.world.clock.now()))
            .await;
        events.into_iter().map(|event| event.view.title).collect()
    }
}

fn series(start: DateTime<Utc>, id: &str, title: &str, rule: &str) -> Value {
    json!({
        "id": id, "summary": title, "recurrence": [format!("RRULE:{rule}")],
        "start": {"dateTime": start, "timeZone": "UTC"},
        "end": {"dateTime": start + TimeDelta::hours(1), "timeZone": "UTC"},
    })
}

fn days(parts: &[(usize, &str)]) -> Vec<String> {
    let titles = parts.iter().flat_map(|(days, title)| vec![*title; *days]);
    titles.map(str::to_owned).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn first_series_changes_before_its_cut_arrives(pool: PgPool) {
    let mut arrivals = Arrivals::new(pool).await;
    arrivals.split(10, "Second").await;
    arrivals.patched(FIRST, json!({"location": "Room 4"})).await;
    arrivals.cut(FIRST, 10).await;
    assert_eq!(arrivals.titles().await, days(&[(10, "First"), (20, "Second")]));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_undone_split_gives_the_instances_back(pool: PgPool) {
    let mut arrivals = Arrivals::new(pool).await;
    let second = arrivals.split(10, "Second").await;
    arrivals.cut(FIRST, 10).await;
    let third = arrivals.split(20, "Third").await;
    arrivals.cut(&second, 10).await;
    assert_eq!(
        arrivals.titles().await,
        days(&[(10, "First"), (10, "Second"), (10, "Third")])
    );
    arrivals.cut(&second, 20).await;
    arrivals.world.google.delete(ALICE, ALICE, &third).unwrap();
    arrivals.arrive().await;
    assert_eq!(arrivals.titles().await, days(&[(10, "First"), (20, "Second")]));
    arrivals.cut(FIRST, 30).await;
    arrivals.world.google.delete(ALICE, ALICE, &second).unwrap();
    arrivals.arrive().await;
    assert_eq!(arrivals.titles().await, days(&[(30, "First")]));
}

/// Google's ids are unique: the exception is the event of this id.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_exception_of_the_first_series_keeps_its_id(pool: PgPool) {
    let mut arrivals = Arrivals::new(pool).await;
    arrivals
        .world
        .google
        .with(|state| state.settings.keep_orphaned_exceptions = true);
    let at = arrivals.start(12).format("%Y%m%dT%H%M%SZ");
    arrivals
        .patched(&format!("{FIRST}_{at}"), json!({"summary": "Special"}))
        .await;
    arrivals.split(10, "Second").await;
    arrivals.cut(FIRST, 10).await;
    let expected = days(&[(10, "First"), (2, "Second"), (1, "Special"), (17, "Second")]);
    assert_eq!(arrivals.titles().await, expected);
}
