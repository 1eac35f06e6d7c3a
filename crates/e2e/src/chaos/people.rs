//! People: they change their calendars in Google and by way of Calwire, ask again until they know what came of it, and
//! remember what they were promised.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use google_emulator::{Emulator, Resource};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::client::Client;
use super::ledger::Ledger;
use super::page::Page;
use super::plan::{Edit, Write};
use crate::google::now;
use crate::person::GUEST;
use crate::rpc::Api;

/// How long a browser waits for the answer to a write.
const PATIENCE: Duration = Duration::from_secs(15);
/// Before it asks again, with the same key.
const AGAIN: Duration = Duration::from_millis(300);

pub struct Person {
    pub name: &'static str,
    /// Google's; also the id of the primary calendar.
    pub account: String,
    /// By a link that may fail.
    pub api: Api,
    /// As Calwire names it.
    pub calendar: String,
    pub pages: Vec<Page>,
    pub client: Client,
    /// The events that were made by way of Calwire.
    pub made: Mutex<Vec<Made>>,
    /// Requests whose end is not known yet.
    pub waiting: AtomicUsize,
}

/// Whether something that was asked for has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    No,
    /// Calwire itself has said that nobody knows.
    Perhaps,
    Yes,
}

/// An event that was made by way of Calwire, by the mark in its location.
#[derive(Debug, Clone)]
pub struct Made {
    pub mark: String,
    pub is_invited: bool,
    /// Google's id.
    pub event: Option<String>,
    pub created: Fate,
    /// What it may be called: the last name that was acknowledged, and those of which nobody knows.
    pub titles: Vec<String>,
    /// Guests were mailed of so many changes, and perhaps of so many more.
    pub updates: usize,
    pub perhaps: usize,
    pub deleted: Fate,
    is_busy: bool,
}

/// What came of a request.
enum End {
    Done(Value),
    Refused,
    Unknown,
}

impl Person {
    pub fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes, changes or deletes an event, until the end of that is known.
    pub async fn write(&self, ledger: &Ledger, write: Write, dice: u64, twice: bool) {
        let mut dice = StdRng::seed_from_u64(dice);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let chosen = match write {
            Write::Retitle | Write::Delete => self.choose(&mut dice),
            Write::Create | Write::Invite => None,
        };
        match chosen {
            None => {
                self.create(ledger, write == Write::Invite, &mut dice, twice)
                    .await;
            }
            Some((n, shown)) if write == Write::Delete => self.delete(ledger, n, &shown, twice).await,
            Some((n, shown)) => self.retitle(ledger, n, &shown, &mut dice, twice).await,
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// One that a page shows, that nobody is changing by way of Calwire, as it is shown.
    fn choose(&self, dice: &mut StdRng) -> Option<(usize, Value)> {
        let page = &self.pages[0];
        let mut made = self.made();
        let fitting: Vec<_> = made
            .iter()
            .enumerate()
            .filter(|(_, made)| !made.is_busy && made.deleted == Fate::No)
            .filter_map(|(n, made)| Some((n, page.event(made.event.as_deref()?)?)))
            .collect();
        let chosen = fitting.get(dice.random_range(0..fitting.len().max(1)))?.clone();
        made[chosen.0].is_busy = true;
        Some(chosen)
    }

    async fn create(&self, ledger: &Ledger, is_invited: bool, dice: &mut StdRng, twice: bool) {
        let title = self.title("W", dice);
        let n = {
            let mut made = self.made();
            let n = made.len();
            made.push(Made {
                mark: format!("made by {} {n}", self.name),
                is_invited,
                event: None,
                created: Fate::Perhaps,
                titles: vec![title.clone()],
                updates: 0,
                perhaps: 0,
                deleted: Fate::No,
                is_busy: true,
            });
            n
        };
        let start = hour(dice);
        let mut event = json!({
            "title": title, "start": start, "end": start + TimeDelta::hours(1), "timeZone": "Europe/Zurich",
            "location": self.made()[n].mark,
        });
        if is_invited {
            event["attendees"] = json!([{"email": GUEST}]);
        }
        let input = self.input(json!({ "event": event }));
        let end = self.request(ledger, "createEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        match end {
            End::Done(answer) => {
                made.created = Fate::Yes;
                made.event = answer["event"]["eventId"].as_str().map(str::to_owned);
            }
            End::Refused => made.created = Fate::No,
            End::Unknown => {}
        }
    }

    async fn retitle(&self, ledger: &Ledger, n: usize, shown: &Value, dice: &mut StdRng, twice: bool) {
        let title = self.title("W", dice);
        let input = self.input(json!({
            "eventId": shown["id"], "baseEtag": shown["etag"], "patch": {"title": title},
        }));
        let end = self.request(ledger, "updateEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        match end {
            End::Done(_) => {
                made.titles = vec![title];
                made.updates += 1;
            }
            End::Refused => {}
            End::Unknown => {
                made.titles.push(title);
                made.perhaps += 1;
            }
        }
    }

    async fn delete(&self, ledger: &Ledger, n: usize, shown: &Value, twice: bool) {
        let input = self.input(json!({"eventId": shown["id"], "baseEtag": shown["etag"]}));
        let end = self.request(ledger, "deleteEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        made.deleted = match end {
            End::Done(_) => Fate::Yes,
            End::Refused => Fate::No,
            End::Unknown => Fate::Perhaps,
        };
    }

    fn title(&self, kind: &str, dice: &mut StdRng) -> String {
        format!("{} {kind}{:06}", self.name, dice.random_range(0..1_000_000))
    }

    fn input(&self, mut input: Value) -> Value {
        input["idempotencyKey"] = Uuid::new_v4().to_string().into();
        input["calendarId"] = self.calendar.clone().into();
        input["sendUpdates"] = "all".into();
        input
    }

    /// Asks with the same key until there is an answer that is one, as a page does.
    async fn request(&self, ledger: &Ledger, verb: &str, input: &Value, twice: bool) -> End {
        if twice {
            let (one, other) = tokio::join!(self.ask(verb, input), self.ask(verb, input));
            if let (Some(Ok(one)), Some(Ok(other))) = (one, other)
                && one["intentId"] != other["intentId"]
            {
                ledger.broken("one_request", format!("{verb} {input} became {one} and {other}"));
            }
        }
        loop {
            match self.ask(verb, input).await {
                Some(Ok(answer)) if answer["pending"] != true => return End::Done(answer),
                Some(Err(refusal)) => match refusal["reason"].as_str() {
                    Some("OUTCOME_UNKNOWN") => return End::Unknown,
                    Some(_) => return End::Refused,
                    // The API's own trouble is no answer.
                    None if is_busy(&refusal) => {}
                    None => {
                        ledger.broken("errors_say_what", format!("{verb} {input}: {refusal}"));
                        if refusal["httpStatus"].as_u64().unwrap_or_default() < 500 {
                            return End::Refused;
                        }
                    }
                },
                _ => {}
            }
            sleep(AGAIN).await;
        }
    }

    /// One try. None: no answer.
    async fn ask(&self, verb: &str, input: &Value) -> Option<Result<Value, Value>> {
        let path = format!("calendar.google.{verb}");
        let answer = timeout(PATIENCE, self.api.attempt(&path, input)).await;
        answer.ok()?.ok()
    }
}

/// Nothing is wrong with the request.
fn is_busy(refusal: &Value) -> bool {
    matches!(refusal["httpStatus"].as_u64(), Some(408 | 429 | 503))
}

/// On the hour, within the coming month.
fn hour(dice: &mut StdRng) -> DateTime<Utc> {
    let hours = dice.random_range(2..24 * 30);
    let past = TimeDelta::seconds(now().timestamp().rem_euclid(3_600)) + subsecond();
    now() - past + TimeDelta::hours(hours)
}

fn subsecond() -> TimeDelta {
    TimeDelta::nanoseconds(now().timestamp_subsec_nanos().into())
}

/// Somebody changes their calendar in Google. Google may refuse; then nothing has happened.
pub fn edit(google: &Emulator, person: &Person, edit: Edit, dice: u64) {
    let mut dice = StdRng::seed_from_u64(dice);
    let (who, title) = (person.account.as_str(), person.title("G", &mut dice));
    // What somebody waits for has a place, and stays as it is.
    let is_free = |event: &Resource| !event.contains_key("location");
    let of_kind = |event: &Resource| match edit {
        Edit::Describe => is_made(event),
        Edit::EditInstance | Edit::CancelInstance => is_free(event) && event.contains_key("recurrence"),
        Edit::Reschedule => is_free(event) && is_single(event),
        _ => is_free(event) && !event.contains_key("recurringEventId"),
    };
    let mut events = google.events(who);
    events.retain(|event| event["status"] != "cancelled" && of_kind(event));
    let chosen = events
        .get(dice.random_range(0..events.len().max(1)))
        .map(|event| field(event, "id"));
    let when = span(hour(&mut dice));
    match (edit, chosen) {
        (Edit::Insert, _) => drop(google.insert(who, who, named(when, &title))),
        (Edit::InsertDay, _) => {
            let day = now().date_naive() + chrono::Days::new(dice.random_range(0..30));
            let body = json!({"start": {"date": day}, "end": {"date": day + chrono::Days::new(1)}});
            drop(google.insert(who, who, named(body, &title)));
        }
        (Edit::InsertSeries, _) => {
            let mut body = named(when, &title);
            let rule = if dice.random() { "DAILY" } else { "WEEKLY" };
            body["recurrence"] = json!([format!("RRULE:FREQ={rule};COUNT={}", dice.random_range(2..7))]);
            drop(google.insert(who, who, body));
        }
        (Edit::Retitle, Some(id)) => drop(google.patch(who, who, &id, json!({"summary": title}))),
        (Edit::Describe, Some(id)) => drop(google.patch(who, who, &id, json!({"description": title}))),
        (Edit::Reschedule, Some(id)) => drop(google.patch(who, who, &id, when)),
        (Edit::Delete, Some(id)) => drop(google.delete(who, who, &id)),
        (Edit::EditInstance | Edit::CancelInstance, Some(series)) => {
            let instances = google.instances(who, &series);
            let Some(instance) = instances.get(dice.random_range(0..instances.len().max(1))) else {
                return;
            };
            let id = field(instance, "id");
            if edit == Edit::CancelInstance {
                drop(google.delete(who, who, &id));
            } else {
                drop(google.patch(who, who, &id, json!({"summary": title})));
            }
        }
        (_, None) => {}
    }
}

fn is_made(event: &Resource) -> bool {
    let location = event.get("location").and_then(Value::as_str);
    location.is_some_and(|location| location.starts_with("made by "))
}

fn is_single(event: &Resource) -> bool {
    !event.contains_key("recurrence") && !event.contains_key("recurringEventId")
}

fn span(start: DateTime<Utc>) -> Value {
    let time = |at: DateTime<Utc>| json!({"dateTime": at, "timeZone": "Europe/Zurich"});
    json!({"start": time(start), "end": time(start + TimeDelta::hours(1))})
}

fn named(mut body: Value, title: &str) -> Value {
    body["summary"] = json!(title);
    body
}

pub fn field(event: &Resource, key: &str) -> String {
    let value = event.get(key).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}
