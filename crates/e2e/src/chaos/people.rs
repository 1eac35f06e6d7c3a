//! People who write through Calwire, repeat each request until they know its result, and remember what was acknowledged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::client::Client;
use super::edits;
use super::page::Page;
use super::plan::UserWrite;
use super::record::Record;
use crate::person::GUEST;
use crate::rpc::{Answer, Api};

/// How long a browser waits for the answer to a write.
const PATIENCE: Duration = Duration::from_secs(15);
/// Before it repeats the request with the same key.
const AGAIN: Duration = Duration::from_millis(300);

pub struct Participant {
    pub name: &'static str,
    /// Google's; also the id of the primary calendar.
    pub account: String,
    /// Through a link that may fail.
    pub api: Api,
    /// Calwire's id of it.
    pub calendar: String,
    pub pages: Vec<Page>,
    pub client: Client,
    /// The events that were made through Calwire.
    pub made: Mutex<Vec<Made>>,
    /// Requests whose result is not known yet.
    pub waiting: AtomicUsize,
}

/// Whether a requested change has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    No,
    /// Calwire answered that the outcome is unknown.
    Perhaps,
    Yes,
}

/// An event that was made through Calwire, identified by the mark in its location.
#[derive(Debug, Clone)]
pub struct Made {
    pub mark: String,
    pub is_invited: bool,
    /// Google's id.
    pub event: Option<String>,
    pub created: Fate,
    /// Its possible titles: the last one acknowledged, and those with an unknown outcome.
    pub titles: Vec<String>,
    /// All titles that were requested.
    pub requested: Vec<String>,
    /// Changes of which guests were mailed.
    pub updates: usize,
    /// Changes with an unknown outcome.
    pub unknown_updates: usize,
    pub deleted: Fate,
    is_busy: bool,
}

/// The result of a request.
enum RequestOutcome {
    Done(Value),
    Refused,
    Unknown,
}

impl Participant {
    pub fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates, changes or deletes an event, and waits until the result is known.
    pub async fn write(&self, record: &Record, write: UserWrite, dice: u64, twice: bool) {
        let mut dice = StdRng::seed_from_u64(dice);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let chosen = match write {
            UserWrite::Retitle | UserWrite::Delete => self.choose(&mut dice),
            UserWrite::Create | UserWrite::Invite => None,
        };
        match chosen {
            None => {
                self.create(record, write == UserWrite::Invite, &mut dice, twice)
                    .await;
            }
            Some((n, shown)) if write == UserWrite::Delete => self.delete(record, n, &shown, twice).await,
            Some((n, shown)) => self.retitle(record, n, &shown, &mut dice, twice).await,
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// An event that a page shows and that has no write under way, as it is shown.
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

    async fn create(&self, record: &Record, is_invited: bool, dice: &mut StdRng, twice: bool) {
        let title = edits::title(self.name, "W", dice);
        let n = {
            let mut made = self.made();
            let n = made.len();
            made.push(Made {
                mark: format!("made by {} {n}", self.name),
                is_invited,
                event: None,
                created: Fate::Perhaps,
                titles: vec![title.clone()],
                requested: vec![title.clone()],
                updates: 0,
                unknown_updates: 0,
                deleted: Fate::No,
                is_busy: true,
            });
            n
        };
        let start = edits::hour(dice);
        let mut event = json!({
            "title": title, "start": start, "end": start + TimeDelta::hours(1), "timeZone": "Europe/Zurich",
            "location": self.made()[n].mark,
        });
        if is_invited {
            event["attendees"] = json!([{"email": GUEST}]);
        }
        let input = self.input(json!({ "event": event }));
        let end = self.request(record, "createEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        match end {
            RequestOutcome::Done(answer) => {
                made.created = Fate::Yes;
                made.event = answer["event"]["eventId"].as_str().map(str::to_owned);
            }
            RequestOutcome::Refused => made.created = Fate::No,
            RequestOutcome::Unknown => {}
        }
    }

    async fn retitle(&self, record: &Record, n: usize, shown: &Value, dice: &mut StdRng, twice: bool) {
        let title = edits::title(self.name, "W", dice);
        self.made()[n].requested.push(title.clone());
        let input = self.input(json!({
            "eventId": shown["id"], "baseEtag": shown["etag"], "patch": {"title": title},
        }));
        let end = self.request(record, "updateEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        match end {
            RequestOutcome::Done(_) => {
                made.titles = vec![title];
                made.updates += 1;
            }
            RequestOutcome::Refused => {}
            RequestOutcome::Unknown => {
                made.titles.push(title);
                made.unknown_updates += 1;
            }
        }
    }

    async fn delete(&self, record: &Record, n: usize, shown: &Value, twice: bool) {
        let input = self.input(json!({"eventId": shown["id"], "baseEtag": shown["etag"]}));
        let end = self.request(record, "deleteEvent", &input, twice).await;
        let made = &mut self.made()[n];
        made.is_busy = false;
        made.deleted = match end {
            RequestOutcome::Done(_) => Fate::Yes,
            RequestOutcome::Refused => Fate::No,
            RequestOutcome::Unknown => Fate::Perhaps,
        };
    }

    fn input(&self, mut input: Value) -> Value {
        input["idempotencyKey"] = Uuid::new_v4().to_string().into();
        input["calendarId"] = self.calendar.clone().into();
        input["sendUpdates"] = "all".into();
        input
    }

    /// Repeats the request with the same key until its outcome is known, as a page does.
    async fn request(&self, record: &Record, verb: &str, input: &Value, twice: bool) -> RequestOutcome {
        if twice {
            let (one, other) = tokio::join!(self.attempt(verb, input), self.attempt(verb, input));
            if let (Some(Answer::Done(one)), Some(Answer::Done(other))) = (one, other)
                && one["intentId"] != other["intentId"]
            {
                record.broken("one_request", format!("{verb} {input} became {one} and {other}"));
            }
        }
        loop {
            match self.attempt(verb, input).await {
                Some(Answer::Done(answer)) if answer["pending"] != true => {
                    return RequestOutcome::Done(answer);
                }
                Some(Answer::Refused(refusal)) => match refusal["reason"].as_str() {
                    Some("OUTCOME_UNKNOWN") => return RequestOutcome::Unknown,
                    Some(_) => return RequestOutcome::Refused,
                    // A busy API is no answer.
                    None if is_busy(&refusal) => {}
                    None => {
                        record.broken("errors_say_what", format!("{verb} {input}: {refusal}"));
                        if refusal["httpStatus"].as_u64().unwrap_or_default() < 500 {
                            return RequestOutcome::Refused;
                        }
                    }
                },
                _ => {}
            }
            sleep(AGAIN).await;
        }
    }

    /// One attempt. None: no answer.
    async fn attempt(&self, verb: &str, input: &Value) -> Option<Answer> {
        let path = format!("calendar.google.{verb}");
        let answer = timeout(PATIENCE, self.api.attempt(&path, input)).await;
        answer.ok()?.ok()
    }
}

/// Whether the request may succeed later.
fn is_busy(refusal: &Value) -> bool {
    matches!(refusal["httpStatus"].as_u64(), Some(408 | 429 | 503))
}
