//! A user who writes: requests, their results, and checks of the outcome.

use common::ids::CalendarId;
use event_model::patch::EventPatch;
use event_model::wire::Event;
use google_emulator::{Mail, MailKind, Resource};
use serde_json::{Value, json};
use sync::write::{Command, Conflict, Mail as SendTo, Reason, Refused, Request, Scope, WriteResult, submit};
use uuid::Uuid;

use crate::world::{ALICE, World, alice};

pub fn patch(patch: Value) -> EventPatch {
    serde_json::from_value(patch).unwrap()
}

pub async fn request(world: &World, command: Command) -> Request {
    Request {
        calendar: own(world).await,
        mail: Some(SendTo::All),
        command,
    }
}

pub async fn own(world: &World) -> CalendarId {
    world.id(&alice(), ALICE).await
}

/// An unused idempotency key.
pub fn key() -> String {
    Uuid::now_v7().to_string()
}

pub async fn send(world: &World, command: Command) -> Result<Option<WriteResult>, Refused> {
    let request = request(world, command).await;
    submit(&world.ctx, &alice(), &key(), request)
        .await
        .map(|submitted| submitted.result)
}

pub async fn result(world: &World, command: Command) -> WriteResult {
    send(world, command).await.unwrap().expect("not pending")
}

/// The event in the result of a write, and whether it was merged.
pub async fn done(world: &World, command: Command) -> (Option<Event>, bool) {
    match result(world, command).await {
        WriteResult::Done { event, merged } => (event.map(|event| *event), merged),
        other => panic!("{other:?}"),
    }
}

pub async fn conflict(world: &World, command: Command) -> Conflict {
    match result(world, command).await {
        WriteResult::Conflict(conflict) => *conflict,
        other => panic!("{other:?}"),
    }
}

pub async fn failure(world: &World, command: Command) -> (Reason, Option<String>) {
    match result(world, command).await {
        WriteResult::Failed(failure) => (failure.reason, failure.google_reason),
        other => panic!("{other:?}"),
    }
}

pub fn create(event: Value) -> Command {
    Command::Create { event: patch(event) }
}

pub fn update(event: &Event, scope: Option<Scope>, edit: Value) -> Command {
    Command::Update {
        event_id: event.id.clone(),
        base_etag: event.view.etag.clone(),
        patch: patch(edit),
        scope,
    }
}

pub fn delete(event: &Event, scope: Option<Scope>) -> Command {
    Command::Delete {
        event_id: event.id.clone(),
        base_etag: Some(event.view.etag.clone()),
        scope,
    }
}

/// An event of one hour, as the API takes it.
pub fn hour(world: &World, title: &str, days: u64, hour: u32) -> Value {
    let start = world.at(days, hour);
    json!({
        "title": title, "start": start, "end": start + chrono::TimeDelta::hours(1), "timeZone": "Europe/Berlin",
    })
}

pub fn google(world: &World, id: &str) -> Resource {
    world.google.event(ALICE, id).unwrap()
}

/// The recipient and kind of each mail that was sent.
pub fn mails(world: &World) -> Vec<(String, MailKind)> {
    let mails = world.google.mails();
    mails
        .into_iter()
        .map(|Mail { to, kind, .. }| (to, kind))
        .collect()
}

/// The mirror equals Google, and a pull publishes nothing.
pub async fn assert_silent(world: &World) {
    world.assert_in_step(&alice(), ALICE).await;
    world.messages(&alice()).await;
    world.push_and_settle(&alice()).await;
    assert_eq!(
        world.message_types(&alice()).await,
        Vec::<&str>::new(),
        "an echo is silent"
    );
}

/// Alice's only event on a day, as readers see it.
pub async fn instance(world: &World, day: u64) -> Event {
    let window = event_model::wire::Window {
        from: world.at(day, 0),
        to: world.at(day + 1, 0),
    };
    let mut events = world.read(&alice(), window).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}
