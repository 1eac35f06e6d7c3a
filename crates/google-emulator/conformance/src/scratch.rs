//! The scratch calendar, and everything that a run leaves behind.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::case::{Caller, Need};
use crate::http::{Answer, Pace};
use crate::target::Target;
use crate::variables::ID_PREFIX;

/// The name of the scratch calendar; one of an interrupted run is recognised by it.
pub const SUMMARY: &str = "Calwire conformance check (scratch, may be deleted)";
/// Cases write into a primary calendar within these days only. No titles are read.
const PRIMARY_EVENTS: [(&str, &str); 3] = [
    ("timeMin", "2028-01-01T00:00:00Z"),
    ("timeMax", "2030-01-01T00:00:00Z"),
    ("fields", "nextPageToken,items(id,recurringEventId,start)"),
];

/// The result of a clean-up.
#[derive(Debug, Default)]
pub struct Cleaned {
    pub calendars: usize,
    pub events: usize,
    /// Calendars and events that could not be deleted or listed, each with its id and the reason.
    pub left: Vec<String>,
}

/// Creates the scratch calendar and returns its id.
pub async fn create(target: &Target) -> Result<String> {
    let request = target.request(Method::POST, "calendars")?;
    let body = json!({ "summary": SUMMARY, "timeZone": "Europe/Zurich" });
    let answer = target
        .call(target.pace, Caller::Account, request.json(&body))
        .await?;
    let id = succeeded(&answer)?.get("id").and_then(Value::as_str);
    Ok(id.context("the new calendar has no id")?.to_owned())
}

/// Deletes the scratch calendars of this and earlier runs, and the cases' events in primary calendars. Continues after a
/// refusal.
pub async fn clean(target: &Target) -> Cleaned {
    let mut clean_up = CleanUp {
        target,
        pace: target.pace.for_clean_up(),
        cleaned: Cleaned::default(),
    };
    clean_up.delete_calendars().await;
    clean_up.delete_events(Caller::Account).await;
    if target.abilities.contains(&Need::SecondAccount) {
        clean_up.delete_events(Caller::SecondAccount).await;
    }
    clean_up.cleaned
}

struct CleanUp<'a> {
    target: &'a Target,
    pace: Pace,
    cleaned: Cleaned,
}

impl CleanUp<'_> {
    async fn delete_calendars(&mut self) {
        let entries = self.items(Caller::Account, "users/me/calendarList", &[]).await;
        let entries = self.listed(entries, || format!("calendars named {SUMMARY:?}"));
        for entry in entries {
            let is_scratch = entry["summary"] == SUMMARY && entry["accessRole"] == "owner";
            if let Some(id) = entry["id"].as_str().filter(|_| is_scratch) {
                let deleted = self
                    .delete(Caller::Account, &format!("calendars/{}", encoded(id)), &[])
                    .await;
                match deleted {
                    Ok(()) => self.cleaned.calendars += 1,
                    Err(error) => self.leave(&format!("the calendar {SUMMARY:?}, id {id}"), &error),
                }
            }
        }
    }

    async fn delete_events(&mut self, caller: Caller) {
        let email = self.target.email(caller);
        let events = self
            .items(caller, "calendars/primary/events", &PRIMARY_EVENTS)
            .await;
        let events = self.listed(events, || {
            format!("events with ids that begin with {ID_PREFIX}, in the primary calendar of {email}")
        });
        for event in events {
            let id = event["id"].as_str().filter(|id| id.starts_with(ID_PREFIX));
            let Some(id) = id.filter(|_| event.get("recurringEventId").is_none()) else {
                continue;
            };
            let path = format!("calendars/primary/events/{}", encoded(id));
            match self.delete(caller, &path, &[("sendUpdates", "none")]).await {
                Ok(()) => self.cleaned.events += 1,
                Err(error) => {
                    let start = &event["start"];
                    let day = start["date"].as_str().or(start["dateTime"].as_str());
                    let day = day.and_then(|day| day.get(..10)).unwrap_or("2028 or 2029");
                    let what = format!("an event of {day} in the primary calendar of {email}, id {id}");
                    self.leave(&what, &error);
                }
            }
        }
    }

    fn listed(&mut self, items: Result<Vec<Value>>, what: impl Fn() -> String) -> Vec<Value> {
        items.unwrap_or_else(|error| {
            self.leave(&format!("perhaps {}", what()), &error.context("cannot list them"));
            Vec::new()
        })
    }

    fn leave(&mut self, what: &str, error: &anyhow::Error) {
        self.cleaned.left.push(format!("{what} ({error:#})"));
    }

    async fn delete(&mut self, caller: Caller, path: &str, query: &[(&str, &str)]) -> Result<()> {
        let request = self.target.request(Method::DELETE, path)?.query(query);
        let answer = self.call(caller, request).await?;
        if !matches!(answer.status, 404 | 410) {
            succeeded(&answer)?;
        }
        Ok(())
    }

    async fn items(&mut self, caller: Caller, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut request = self.target.request(Method::GET, path)?.query(query);
            if let Some(page) = &page {
                request = request.query(&[("pageToken", page)]);
            }
            let answer = self.call(caller, request).await?;
            let body = succeeded(&answer)?;
            items.extend(body["items"].as_array().into_iter().flatten().cloned());
            match body["nextPageToken"].as_str() {
                Some(next) => page = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    async fn call(&mut self, caller: Caller, request: reqwest::RequestBuilder) -> Result<Answer> {
        let answer = self.target.call(self.pace, caller, request).await?;
        // The waits for one deletion are enough: a limit on writes lasts longer than all of them.
        if answer.is_temporary() {
            self.pace.retries = 0;
        }
        Ok(answer)
    }
}

fn succeeded(answer: &Answer) -> Result<&Value> {
    ensure!(
        answer.is_success(),
        "status {} {}",
        answer.status,
        answer.reason().unwrap_or_default()
    );
    Ok(&answer.body)
}

fn encoded(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}
