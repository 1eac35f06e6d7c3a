//! The final checks: Google has each acknowledged change once, each guest was mailed once, and no process has failed.

use anyhow::Result;
use google_emulator::{Mail, MailKind};

use super::edits::field;
use super::people::{Fate, Made, Person};
use super::world::World;
use crate::person::GUEST;

pub async fn judge(world: &World, keys: &str) -> Result<()> {
    let mails = world.google.mails();
    for person in &world.people {
        person.client.report(&world.ledger).await?;
        for made in person.made().iter() {
            once(world, person, made);
            mailed(world, person, made, &mails);
        }
    }
    for running in world.replicas.values() {
        let mut running = running.lock().await;
        if running.has_ended() {
            let detail = format!("{} has ended by itself", running.replica.name());
            world.ledger.broken("services_live", detail);
        }
    }
    // No token is left on an older key; this checks it and changes nothing.
    let output = world.command("rotate-keys", keys).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        world.ledger.broken("keys_are_rotated", said);
    }
    panics(world)
}

/// Google has one event with this mark if it was made, and none otherwise; and it has the last title that it was given.
fn once(world: &World, person: &Person, made: &Made) {
    let all = world.google.events(&person.account);
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
        world.ledger.broken("made_once", detail);
    }
    for event in events {
        let title = field(event, "summary");
        if !made.titles.contains(&title) {
            let detail = format!("{} is called {title}, not {:?}", made.mark, made.titles);
            world.ledger.broken("written_is_written", detail);
        }
    }
}

/// The guest got one mail for each change.
fn mailed(world: &World, person: &Person, made: &Made, mails: &[Mail]) {
    let Some(id) = made.event.as_ref().filter(|_| made.is_invited) else {
        return;
    };
    let count = |kind: MailKind| {
        let ours = mails.iter().filter(|mail| {
            mail.calendar == person.account && mail.event == *id && mail.to == GUEST && mail.kind == kind
        });
        ours.count()
    };
    let perhaps = |fate| match fate {
        Fate::No => 0..=0,
        Fate::Perhaps => 0..=1,
        Fate::Yes => 1..=1,
    };
    for (kind, allowed) in [
        (MailKind::Invitation, perhaps(made.created)),
        (MailKind::Update, made.updates..=made.updates + made.perhaps),
        (MailKind::Cancellation, perhaps(made.deleted)),
    ] {
        let times = count(kind);
        if !allowed.contains(&times) {
            let detail = format!("{}: {times} mails of {kind:?}, not {allowed:?}", made.mark);
            world.ledger.broken("mailed_once", detail);
        }
    }
}

fn panics(world: &World) -> Result<()> {
    for replica in world.replicas.keys() {
        let log = world.folder.join(format!("{}.log", replica.name()));
        let text = std::fs::read_to_string(log)?;
        if let Some(line) = text.lines().find(|line| line.contains("panicked at")) {
            world
                .ledger
                .broken("services_live", format!("{}: {line}", replica.name()));
        }
    }
    Ok(())
}
