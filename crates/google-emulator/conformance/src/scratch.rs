//! The scratch calendar, and everything that a run leaves behind.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::case::{Caller, Need};
use crate::http::Answer;
use crate::target::Target;
use crate::variables::ID_PREFIX;

/// The name of the scratch calendar; one of an interrupted run is recognised by it.
pub const SUMMARY: &str = "Calwire conformance check (scratch, may be deleted)";
/// Cases write into a primary calendar within these days only.
const PRIMARY_WINDOW: [(&str, &str); 2] = [
    ("timeMin", "2028-01-01T00:00:00Z"),
    ("timeMax", "2030-01-01T00:00:00Z"),
];

/// Creates the scratch calendar and returns its id.
pub async fn create(target: &Target) -> Result<String> {
    let request = target.request(Method::POST, "calendars")?;
    let body = json!({ "summary": SUMMARY, "timeZone": "Europe/Zurich" });
    let answer = target.call(Caller::Account, request.json(&body)).await?;
    let id = succeeded(&answer)?.get("id").and_then(Value::as_str);
    Ok(id.context("the new calendar has no id")?.to_owned())
}

/// Deletes the scratch calendars of this and earlier runs, and the cases' events in primary calendars. Returns how many
/// calendars and events were deleted.
pub async fn clean(target: &Target) -> Result<(usize, usize)> {
    let mut calendars = 0;
    for entry in items(target, Caller::Account, "users/me/calendarList", &[]).await? {
        let is_scratch = entry["summary"] == SUMMARY && entry["accessRole"] == "owner";
        if let Some(id) = entry["id"].as_str().filter(|_| is_scratch) {
            let path = format!("calendars/{}", encoded(id));
            delete(target, Caller::Account, &path).await?;
            calendars += 1;
        }
    }
    let mut events = clean_primary(target, Caller::Account).await?;
    if target.abilities.contains(&Need::SecondAccount) {
        events += clean_primary(target, Caller::SecondAccount).await?;
    }
    Ok((calendars, events))
}

async fn clean_primary(target: &Target, caller: Caller) -> Result<usize> {
    let mut deleted = 0;
    for event in items(target, caller, "calendars/primary/events", &PRIMARY_WINDOW).await? {
        let id = event["id"].as_str().filter(|id| id.starts_with(ID_PREFIX));
        if let Some(id) = id.filter(|_| event.get("recurringEventId").is_none()) {
            delete(
                target,
                caller,
                &format!("calendars/primary/events/{}", encoded(id)),
            )
            .await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

async fn delete(target: &Target, caller: Caller, path: &str) -> Result<()> {
    let request = target.request(Method::DELETE, path)?;
    let answer = target.call(caller, request).await?;
    if !matches!(answer.status, 404 | 410) {
        succeeded(&answer)?;
    }
    Ok(())
}

async fn items(target: &Target, caller: Caller, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let mut request = target.request(Method::GET, path)?.query(query);
        if let Some(page) = &page {
            request = request.query(&[("pageToken", page)]);
        }
        let answer = target.call(caller, request).await?;
        let body = succeeded(&answer)?;
        items.extend(body["items"].as_array().into_iter().flatten().cloned());
        match body["nextPageToken"].as_str() {
            Some(next) => page = Some(next.to_owned()),
            None => return Ok(items),
        }
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
