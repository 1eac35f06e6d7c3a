//! A series edited in each scope across changes of the clocks: Calwire shows the instances that Google's `events.instances`
//! lists, at once and after Google's own push.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};
use e2e::Stack;
use e2e::google::now;
use e2e::oracle::mirror_equals_google;
use e2e::person::Person;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use zones::Zone;

/// North and south of the equator, a change by half an hour, offsets of quarters of an hour, and no change at all.
const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Santiago",
    "Asia/Kolkata",
];

/// A year of weeks contains both changes, whenever it begins.
const WEEKS: usize = 52;

/// Start, end and title of each instance, by instants or by days.
type Instances = BTreeSet<(String, String, String)>;

struct Calendar<'a> {
    stack: &'a Stack,
    person: Person,
    /// An access token of the account, for the checks.
    token: String,
}

impl<'a> Calendar<'a> {
    async fn new(stack: &'a Stack, user: &str) -> Result<Self> {
        let person = Person::new(stack, user, &json!([])).await?;
        let scopes = ["https://www.googleapis.com/auth/calendar"];
        let token = stack.google.mint(&person.account, &scopes)?.access_token;
        Ok(Self { stack, person, token })
    }

    /// The events that the API returns, by start.
    async fn shown(&self) -> Result<Vec<Value>> {
        let (from, to) = (now() - TimeDelta::days(2), now() + TimeDelta::days(395));
        let range = json!({"from": from, "to": to, "calendarIds": [self.person.calendar]});
        let mut answer = self.person.api.query("calendar.google.getEvents", range).await?;
        let mut events = answer["events"]
            .as_array_mut()
            .map(std::mem::take)
            .context("events")?;
        events.sort_by_key(|event| moment(&event["start"]));
        Ok(events)
    }

    /// Google's instances of each series, from all pages.
    async fn listed(&self) -> Result<Instances> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mut instances = Instances::new();
        for master in self.person.in_google(self.stack) {
            let id = master["id"].as_str().unwrap_or_default();
            if master.contains_key("recurringEventId") {
                continue;
            }
            let mut page = String::new();
            loop {
                let url = format!(
                    "{}calendars/primary/events/{id}/instances",
                    self.stack.google.calendar_url()
                );
                let request = http
                    .get(url)
                    .bearer_auth(&self.token)
                    .query(&[("pageToken", &page)]);
                let answer: Value = request.send().await?.error_for_status()?.json().await?;
                for item in answer["items"].as_array().context("items")? {
                    let at = |end: &str| moment(item[end].get("dateTime").unwrap_or(&item[end]["date"]));
                    instances.insert((at("start"), at("end"), item["summary"].to_string()));
                }
                match answer["nextPageToken"].as_str() {
                    Some(next) => next.clone_into(&mut page),
                    None => break,
                }
            }
        }
        Ok(instances)
    }

    /// Fails unless the mirror shows what Google lists.
    async fn compare(&self, step: &str) -> Result<()> {
        let shown = self.shown().await?;
        let count = shown.len();
        let shown: Instances = shown
            .iter()
            .map(|event| {
                (
                    moment(&event["start"]),
                    moment(&event["end"]),
                    event["title"].to_string(),
                )
            })
            .collect();
        ensure!(shown.len() == count, "{step}: an instance is shown twice");
        let listed = self.listed().await?;
        let only = |one: &Instances, other: &Instances| one.difference(other).cloned().collect::<Vec<_>>();
        ensure!(
            shown == listed,
            "{}: {step}\nonly Calwire: {:?}\nonly Google: {:?}",
            self.person.api.user,
            only(&shown, &listed),
            only(&listed, &shown)
        );
        Ok(())
    }

    /// Edits the instance at `index` of the shown ones, and compares.
    async fn edit(&self, index: usize, scope: &str, patch: impl FnOnce(&Value) -> Value) -> Result<()> {
        let patch = self.write(index, scope, patch).await?;
        self.compare(&format!("{scope}, instance {index}: {patch}")).await
    }

    /// As [`Calendar::edit`], for an edit after which exceptions match no instance of the series: Google decides about them a
    /// moment later.
    async fn edit_away(&self, index: usize, patch: impl FnOnce(&Value) -> Value) -> Result<()> {
        self.write(index, "all", patch).await?;
        self.settles().await
    }

    async fn write(&self, index: usize, scope: &str, patch: impl FnOnce(&Value) -> Value) -> Result<Value> {
        let seen = self.shown().await?.swap_remove(index);
        let mut input = self.person.update_input(&seen, &patch(&seen));
        input["scope"] = scope.into();
        self.person.call("updateEvent", &input).await?;
        Ok(input["patch"].take())
    }

    async fn delete(&self, index: usize, scope: &str) -> Result<()> {
        let seen = self.shown().await?.swap_remove(index);
        let mut input = self.person.delete_input(&seen);
        input["scope"] = scope.into();
        self.person.call("deleteEvent", &input).await?;
        self.compare(&format!("{scope}, instance {index} deleted")).await
    }

    /// Waits for Google's pushes, after which nothing has changed.
    async fn settles(&self) -> Result<()> {
        mirror_equals_google(self.stack, &self.person.api.user).await?;
        self.compare("after Google's pushes").await
    }
}

/// An instant in UTC, or a day.
fn moment(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&Utc).to_rfc3339(),
        Err(_) => text.to_owned(),
    }
}

/// The start of a shown event, later by `minutes` of wall clock time.
fn later(seen: &Value, zone: Zone, minutes: i64) -> Value {
    let start = DateTime::<FixedOffset>::parse_from_rfc3339(seen["start"].as_str().unwrap_or_default());
    let local = start.unwrap_or_default().with_timezone(&zone).naive_local() + TimeDelta::minutes(minutes);
    let moved = local
        .and_local_timezone(zone)
        .earliest()
        .map(|start| start.to_rfc3339());
    json!(moved)
}

fn weekly(zone: &str, time: NaiveTime, rule: &str) -> Result<Value> {
    let zone: Zone = zone.parse()?;
    let today = now().with_timezone(&zone).date_naive();
    // In two days, or in three: on the day when clocks go forward, half past two does not exist.
    let start = (2..4)
        .map(|days| (today + Days::new(days)).and_time(time))
        .find_map(|start| start.and_local_timezone(zone).earliest())
        .context("the time exists on one of two days")?;
    Ok(json!({
        "title": "Weekly", "start": start.to_rfc3339(), "end": (start + TimeDelta::hours(1)).to_rfc3339(),
        "timeZone": zone.name(), "recurrence": [rule],
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn series_edits_hold_across_changes_of_clocks() -> Result<()> {
    let stack = Stack::start().await?;
    let zones = ZONES
        .iter()
        .enumerate()
        .map(|(n, zone)| in_zone(&stack, zone, format!("zone{n}")));
    try_join_all(zones).await?;
    stack.end().await
}

async fn in_zone(stack: &Stack, name: &str, user: String) -> Result<()> {
    let zone: Zone = name.parse()?;
    let calendar = Calendar::new(stack, &user).await?;
    let nine = NaiveTime::from_hms_opt(9, 0, 0).context("nine")?;
    let series = weekly(name, nine, &format!("RRULE:FREQ=WEEKLY;COUNT={WEEKS}"))?;
    calendar
        .person
        .call("createEvent", &calendar.person.create_input(&series))
        .await?;
    calendar.compare("made").await?;
    assert_eq!(calendar.shown().await?.len(), WEEKS);

    calendar
        .edit(
            10,
            "this",
            |seen| json!({"title": "One", "start": later(seen, zone, 90)}),
        )
        .await?;
    calendar.delete(12, "this").await?;
    calendar
        .edit(
            24,
            "following",
            |seen| json!({"title": "Later", "start": later(seen, zone, 120)}),
        )
        .await?;
    // By an instance on the other side of a change; the series keeps its wall clock time.
    calendar
        .edit(
            45,
            "all",
            |seen| json!({"start": later(seen, zone, -165), "location": "Room 3"}),
        )
        .await?;
    calendar
        .edit_away(3, |seen| json!({"start": later(seen, zone, 24 * 60 + 30)}))
        .await?;
    calendar.settles().await?;
    calendar.edit(30, "this", |_| json!({"title": "Another"})).await?;
    calendar
        .edit(28, "following", |_| json!({"title": "Latest"}))
        .await?;
    calendar.delete(40, "following").await?;
    calendar.settles().await?;
    assert_eq!(calendar.shown().await?.len(), 40);
    let first = calendar.shown().await?;
    let days = first[0]["start"]
        .as_str()
        .and_then(|start| start.get(..10))
        .context("a day")?;
    let day: NaiveDate = days.parse()?;
    calendar
        .edit(
            0,
            "all",
            |_| json!({"start": day, "end": day + Days::new(1), "timeZone": null}),
        )
        .await?;
    calendar.delete(0, "all").await?;
    calendar.settles().await
}

/// At half past two in the night, which does not exist on one day of the year and exists twice on another.
#[tokio::test(flavor = "multi_thread")]
async fn a_daily_series_within_the_repeated_hour_is_edited() -> Result<()> {
    let stack = Stack::start().await?;
    let zones = ["Europe/Berlin", "America/New_York"].iter().enumerate();
    let zones = zones.map(|(n, name)| at_night(&stack, name, format!("night{n}")));
    try_join_all(zones).await?;
    stack.end().await
}

async fn at_night(stack: &Stack, name: &str, user: String) -> Result<()> {
    let zone: Zone = name.parse()?;
    let calendar = Calendar::new(stack, &user).await?;
    let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).context("half past two")?;
    let series = weekly(name, half_past_two, "RRULE:FREQ=DAILY;COUNT=380")?;
    calendar
        .person
        .call("createEvent", &calendar.person.create_input(&series))
        .await?;
    calendar.compare("made").await?;
    calendar
        .edit(60, "following", |_| json!({"title": "Later"}))
        .await?;
    calendar
        .edit(200, "following", |_| json!({"title": "Much later"}))
        .await?;
    calendar
        .edit(300, "all", |seen| json!({"start": later(seen, zone, 15)}))
        .await?;
    calendar
        .edit(100, "all", |seen| json!({"start": later(seen, zone, -15)}))
        .await?;
    calendar.delete(320, "following").await?;
    calendar.settles().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_all_day_series_ignores_changes_of_clocks() -> Result<()> {
    let stack = Stack::start().await?;
    let calendar = Calendar::new(&stack, "daisy").await?;
    let day = now().date_naive() + Days::new(2);
    let series = json!({
        "title": "Weekly", "start": day, "end": day + Days::new(2),
        "recurrence": [format!("RRULE:FREQ=WEEKLY;COUNT={WEEKS}")],
    });
    calendar
        .person
        .call("createEvent", &calendar.person.create_input(&series))
        .await?;
    calendar.compare("made").await?;
    let next = |seen: &Value| -> Option<Value> {
        let start: NaiveDate = seen["start"].as_str()?.parse().ok()?;
        Some(json!({"start": start + Days::new(1), "end": start + Days::new(2)}))
    };
    calendar
        .edit(10, "this", |seen| next(seen).unwrap_or_default())
        .await?;
    calendar
        .edit(20, "following", |_| json!({"title": "Later"}))
        .await?;
    calendar
        .edit(30, "all", |seen| next(seen).unwrap_or_default())
        .await?;
    calendar
        .edit_away(3, |seen| next(seen).unwrap_or_default())
        .await?;
    calendar.delete(5, "this").await?;
    calendar.delete(40, "following").await?;
    calendar.settles().await?;
    assert_eq!(calendar.shown().await?.len(), 40);
    stack.end().await
}
