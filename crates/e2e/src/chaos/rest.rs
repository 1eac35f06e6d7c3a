//! Coming to rest: no work is left, and Google, the mirror and every page have the same events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::deployment::Deployment;
use super::edits::field;
use super::page::Look;
use super::people::Participant;
use super::plan::USERS;
use super::record::{BrokenPromise, REST};
use super::waiting::{LOOK_AGAIN, waiting};
use crate::normal_form::HeldEvents;
use crate::oracle::{self, Shown, shown};
use crate::rpc::Api;

/// Bound on an answer of the API, when nothing is broken any more.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How many differing events are reported.
const REPORTED: usize = 4;

/// Waits until everything is at rest and equal. A difference after `within` is a broken promise.
pub async fn come_to_rest(deployment: &Deployment, within: Duration) -> Result<Duration> {
    let started = Instant::now();
    loop {
        let wrong = look(deployment).await;
        if wrong.is_empty() {
            deployment.record.recovered(REST, started.elapsed());
            return Ok(started.elapsed());
        }
        if started.elapsed() > within {
            for BrokenPromise { promise, detail } in wrong {
                let detail = format!("after {} s: {detail}", within.as_secs());
                deployment.record.broken(promise, detail);
            }
            return Ok(started.elapsed());
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn wrong(promise: &'static str, detail: impl Into<String>) -> BrokenPromise {
    let detail = detail.into();
    BrokenPromise { promise, detail }
}

/// Everything that is not as it has to be in the end. The expensive checks run only if the others pass.
async fn look(deployment: &Deployment) -> Vec<BrokenPromise> {
    let mut found = Vec::new();
    let open: usize = deployment
        .people
        .iter()
        .map(|person| person.waiting.load(Ordering::Relaxed))
        .sum();
    if open > 0 {
        found.push(wrong("writes_end", format!("{open} requests have no answer")));
    }
    match waiting(&deployment.database.pool).await {
        Ok(waits) => found.extend(waits.into_iter().map(|what| wrong("comes_to_rest", what))),
        Err(error) => found.push(wrong("comes_to_rest", format!("{error:#}"))),
    }
    for user in USERS {
        match oracle::differences(&deployment.database.pool, &deployment.google, user).await {
            Ok(differences) if differences.is_empty() => {}
            Ok(differences) => found.push(wrong("mirror_is_google", differences)),
            Err(error) => found.push(wrong("mirror_is_google", format!("{error:#}"))),
        }
    }
    if found.is_empty() {
        for (person, api) in deployment.people.iter().zip(&deployment.direct) {
            match pages(deployment, person, api).await {
                Ok(differing) => found.extend(differing),
                Err(error) => found.push(wrong("pages_are_mirror", format!("{}: {error:#}", person.name))),
            }
        }
    }
    found
}

/// Every page of a user shows what the API answers, and Google has the same.
async fn pages(deployment: &Deployment, person: &Participant, api: &Api) -> Result<Vec<BrokenPromise>> {
    let state = timeout(
        ANSWER_WITHIN,
        api.query("realtime.getState", json!({"live": false})),
    )
    .await??;
    let events = HeldEvents::of_state(&state);
    let truth = shown(events.iter());
    let mut looks: Vec<_> = person
        .pages
        .iter()
        .map(|page| (page.name(), page.look()))
        .collect();
    looks.push((person.client.name.as_str(), person.client.look().await?));
    let mut found = Vec::new();
    for (name, Look { is_live, seq, shown }) in looks {
        if !is_live || state["seq"] != seq {
            let detail = format!("{name}: live {is_live}, at {seq} of {}", state["seq"]);
            found.push(wrong("pages_come_back", detail));
        } else if shown != truth {
            let detail = format!("{name}: {}", difference(&shown, &truth));
            found.push(wrong("pages_are_mirror", detail));
        }
    }
    found.extend(answer_is_google(deployment, person, &state));
    let status = timeout(ANSWER_WITHIN, api.query("calendar.google.status", Value::Null)).await??;
    let connection = &status["connections"][0]["state"];
    if connection != "healthy" {
        let detail = format!("{} is {connection}", person.name);
        found.push(wrong("honest_status", detail));
    }
    Ok(found)
}

fn difference(shown: &Shown, truth: &Shown) -> String {
    let keys: BTreeSet<_> = shown.keys().chain(truth.keys()).collect();
    let differing = keys.into_iter().filter(|key| shown.get(*key) != truth.get(*key));
    let lines = differing.map(|key| format!("{key:?} is {:?}, not {:?}", shown.get(key), truth.get(key)));
    lines.take(REPORTED).collect::<Vec<_>>().join("; ")
}

/// Compares timed events well within the window, by id, title and start, with Google's own instances.
fn answer_is_google(deployment: &Deployment, person: &Participant, state: &Value) -> Option<BrokenPromise> {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (from, to) = (time(&state["window"]["from"])?, time(&state["window"]["to"])?);
    let within = |at: DateTime<Utc>| at > from + TimeDelta::days(2) && at < to - TimeDelta::days(2);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = HeldEvents::of_state(state);
    let answered: BTreeMap<_, _> = events
        .iter()
        .filter_map(|event| {
            Some((
                text(&event["id"]),
                (text(&event["title"]), time(&event["start"])?),
            ))
        })
        .filter(|(_, (_, start))| within(*start))
        .collect();
    let mut expected = BTreeMap::new();
    let events = deployment.google.events(&person.account);
    for event in events
        .iter()
        .filter(|event| !event.contains_key("recurringEventId"))
    {
        for instance in deployment.google.instances(&person.account, &field(event, "id")) {
            let start = instance.get("start").and_then(|start| time(&start["dateTime"]));
            if let Some(start) = start.filter(|start| within(*start)) {
                expected.insert(field(&instance, "id"), (field(&instance, "summary"), start));
            }
        }
    }
    let ids: BTreeSet<_> = answered.keys().chain(expected.keys()).collect();
    let differing: Vec<_> = ids
        .into_iter()
        .filter(|id| answered.get(*id) != expected.get(*id))
        .take(REPORTED)
        .map(|id| format!("{id} is {:?}, not {:?}", answered.get(id), expected.get(id)))
        .collect();
    let detail = format!("{}: {}", person.name, differing.join("; "));
    (!differing.is_empty()).then(|| wrong("answers_are_google", detail))
}
