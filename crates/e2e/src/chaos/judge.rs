//! The final checks: Google has each acknowledged change once, each guest was mailed once, no process has failed, and no
//! transactions were deadlocked.

use anyhow::Result;
use google_emulator::{Change, Mail, MailKind, Resource};
use serde_json::json;

use super::deployment::Deployment;
use super::edits::field;
use super::people::{Fate, Made, Participant};
use crate::effect::{comparable, differences};
use crate::person::GUEST;

pub async fn judge(deployment: &Deployment, keys: &str) -> Result<()> {
    let mails = deployment.google.mails();
    for person in &deployment.people {
        person.client.report(&deployment.record).await?;
        for made in person.made().iter() {
            once(deployment, person, made);
            mailed(deployment, person, made, &mails);
        }
    }
    for change in deployment.google.take_changes() {
        unasked(deployment, &change);
    }
    for running in deployment.replicas.values() {
        let mut running = running.lock().await;
        if running.has_ended() {
            let detail = format!("{} has ended by itself", running.replica.name());
            deployment.record.broken("services_live", detail);
        }
    }
    // No token is left on an older key; this checks it and changes nothing.
    let output = deployment.command("rotate-keys", keys).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        deployment.record.broken("keys_are_rotated", said);
    }
    deadlocks(deployment).await?;
    panics(deployment)
}

/// Postgres counts deadlocks since its last crash.
async fn deadlocks(deployment: &Deployment) -> Result<()> {
    let deadlocks: i64 =
        sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()")
            .fetch_one(&deployment.database.pool)
            .await?;
    if deadlocks > 0 {
        let detail = format!("Postgres ended {deadlocks} transactions; its log has their statements");
        deployment.record.broken("no_deadlock", detail);
    }
    Ok(())
}

/// Google has one event with this mark if it was made, and none otherwise; and it has the last title that it was given.
fn once(deployment: &Deployment, person: &Participant, made: &Made) {
    let all = deployment.google.events(&person.account);
    let events: Vec<_> = all
        .iter()
        .filter(|event| event["status"] != "cancelled" && field(event, "location") == made.mark)
        .collect();
    let (created, deleted) = (made.created, made.deleted);
    let allowed = match (created, deleted) {
        (Fate::No, _) | (_, Fate::Yes) => 0..=0,
        (Fate::Yes, Fate::No) => 1..=1,
        (Fate::Perhaps, _) | (_, Fate::Perhaps) => 0..=1,
    };
    if !allowed.contains(&events.len()) {
        let detail = format!(
            "{} is in Google {} times: made {created:?}, deleted {deleted:?}",
            made.mark,
            events.len()
        );
        deployment.record.broken("made_once", detail);
    }
    for event in events {
        let title = field(event, "summary");
        if !made.titles.contains(&title) {
            let detail = format!("{} is called {title}, not {:?}", made.mark, made.titles);
            deployment.record.broken("written_is_written", detail);
        }
    }
}

/// The guest got one mail for each change.
fn mailed(deployment: &Deployment, person: &Participant, made: &Made, mails: &[Mail]) {
    let Some(id) = made.event.as_ref().filter(|_| made.is_invited) else {
        return;
    };
    let count = |kind: MailKind| {
        let ours = mails.iter().filter(|mail| {
            mail.calendar == person.account && mail.event == *id && mail.to == GUEST && mail.kind == kind
        });
        ours.count()
    };
    let unknown_updates = |fate| match fate {
        Fate::No => 0..=0,
        Fate::Perhaps => 0..=1,
        Fate::Yes => 1..=1,
    };
    for (kind, allowed) in [
        (MailKind::Invitation, unknown_updates(made.created)),
        (
            MailKind::Update,
            made.updates..=made.updates + made.unknown_updates,
        ),
        (MailKind::Cancellation, unknown_updates(made.deleted)),
    ] {
        let times = count(kind);
        if !allowed.contains(&times) {
            let detail = format!("{}: {times} mails of {kind:?}, not {allowed:?}", made.mark);
            deployment.record.broken("mailed_once", detail);
        }
    }
}

/// A write changed only what its user requested: a new event, a title, or a deletion.
fn unasked(deployment: &Deployment, change: &Change) {
    let mark = field(&change.after, "location");
    let title = field(&change.after, "summary");
    let own = deployment
        .people
        .iter()
        .filter(|person| person.account == change.user);
    let is_requested = own
        .flat_map(|person| person.made().clone())
        .any(|made| made.mark == mark && made.requested.contains(&title));
    let mut expected = change.before.clone().unwrap_or_else(|| new_event(&change.after));
    expected.insert("summary".to_owned(), title.clone().into());
    if change.after["status"] == "cancelled" {
        expected.insert("status".to_owned(), "cancelled".into());
    }
    let is_new = change.before.is_none();
    let mut wrong = differences(&comparable(&expected, is_new), &comparable(&change.after, is_new));
    if !is_requested {
        wrong.push(format!("no request has the title {title:?}"));
    }
    if !wrong.is_empty() {
        let detail = format!("{mark}: {}", wrong.join("; "));
        deployment.record.broken("nothing_unasked", detail);
    }
}

/// An event as people make them here: `after`, with nothing but the fields of a request and Google's defaults.
fn new_event(after: &Resource) -> Resource {
    let defaults = json!({
        "status": "confirmed", "eventType": "default", "reminders": {"useDefault": true},
        "location": after.get("location"), "start": after.get("start"), "end": after.get("end"),
    });
    let mut event = defaults.as_object().cloned().unwrap_or_default();
    if after.contains_key("attendees") {
        let invited = json!([{"email": GUEST, "responseStatus": "needsAction"}]);
        event.insert("attendees".to_owned(), invited);
    }
    event
}

fn panics(deployment: &Deployment) -> Result<()> {
    for replica in deployment.replicas.keys() {
        let log = deployment.folder.join(format!("{}.log", replica.name()));
        let text = std::fs::read_to_string(log)?;
        if let Some(line) = text.lines().find(|line| line.contains("panicked at")) {
            deployment
                .record
                .broken("services_live", format!("{}: {line}", replica.name()));
        }
    }
    Ok(())
}
