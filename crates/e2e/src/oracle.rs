//! Checks that Google, Calwire's mirror and a browser's view have the same events.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use google_emulator::{Emulator, Resource};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::normal_form::HeldEvents;
use crate::rpc::Api;
use crate::socket::Socket;
use crate::{Stack, wait};

/// Event id → etag, without cancelled instances.
type Versions = BTreeMap<String, String>;

/// Waits until the mirror of every selected calendar of `user` holds exactly what Google does, each event at the same
/// version. Fails with the difference.
pub async fn mirror_equals_google(stack: &Stack, user: &str) -> Result<()> {
    let mut difference = String::new();
    let started = std::time::Instant::now();
    while started.elapsed() < wait::PATIENCE {
        difference = differences(&stack.database.pool, &stack.google, user).await?;
        if difference.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the mirror of {user} still differs from Google:\n{difference}")
}

/// The differences between the mirror of the user's selected calendars and Google at this moment, a line each.
pub async fn differences(pool: &PgPool, google: &Emulator, user: &str) -> Result<String> {
    let calendars: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "select id, google_id from calendars where user_id = $1 and selected and access_lost_at is null",
    )
    .bind(user)
    .fetch_all(pool)
    .await?;
    let mut differences = Vec::new();
    for (id, google_id) in calendars {
        let mirrored: Versions = sqlx::query_as::<_, (String, String)>(
            "select event_id, case status when 'cancelled' then status else etag end from events join sync_state on resource_id = calendar_id \
             where calendar_id = $1 and events.generation = sync_state.generation",
        )
        .bind(id)
        .fetch_all(pool)
        .await?
        .into_iter()
        .collect();
        let truth: Versions = google
            .events(&google_id)
            .into_iter()
            .map(|event| (text(&event["id"]), version(&event)))
            .collect();
        for (event, etag) in &truth {
            match mirrored.get(event) {
                None => differences.push(format!("{google_id}: {event} is missing")),
                Some(ours) if ours != etag => {
                    differences.push(format!("{google_id}: {event} is {ours}, not {etag}"));
                }
                Some(_) => {}
            }
        }
        for event in mirrored.keys().filter(|event| !truth.contains_key(*event)) {
            differences.push(format!("{google_id}: {event} is not in Google"));
        }
    }
    Ok(differences.join("\n"))
}

fn version(event: &Resource) -> String {
    let is_cancelled = event["status"] == "cancelled";
    text(&event[if is_cancelled { "status" } else { "etag" }])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A browser's events by the rules of the protocol: apply `seq = last + 1`, ignore a known seq, reload on a gap.
pub struct View {
    api: Api,
    pub seq: i64,
    /// Those within `window`.
    events: HeldEvents,
    window: Value,
    pub reloads: u32,
    /// How many of the reloads were because of a missing message.
    pub gaps: u32,
}

impl View {
    /// The first paint: position and snapshot in one answer.
    pub async fn load(api: &Api) -> Result<Self> {
        let mut view = Self {
            api: api.clone(),
            seq: 0,
            events: HeldEvents::default(),
            window: Value::Null,
            reloads: 0,
            gaps: 0,
        };
        view.reload().await?;
        view.reloads = 0;
        Ok(view)
    }

    pub async fn reload(&mut self) -> Result<()> {
        let state = self.api.query("realtime.getState", Value::Null).await?;
        self.reloads += 1;
        self.seq = state["seq"].as_i64().unwrap_or_default();
        self.window = state["window"].clone();
        self.events = HeldEvents::of_state(&state);
        Ok(())
    }

    pub async fn apply(&mut self, message: &Value) -> Result<()> {
        let seq = message["seq"].as_i64().unwrap_or_default();
        if seq <= self.seq {
            return Ok(());
        }
        self.gaps += u32::from(seq > self.seq + 1);
        if seq > self.seq + 1 || message["type"] != "events.changed" {
            return self.reload().await;
        }
        self.seq = seq;
        self.events.apply(message);
        Ok(())
    }

    /// Applies messages until the view equals what the API answers for the same window.
    pub async fn catch_up(&mut self, socket: &mut Socket) -> Result<()> {
        let started = std::time::Instant::now();
        loop {
            while let Some(message) = socket.next_within(std::time::Duration::from_millis(100)).await? {
                self.apply(&message).await?;
            }
            let Some(difference) = self.difference().await? else {
                return Ok(());
            };
            ensure!(
                started.elapsed() < wait::PATIENCE,
                "the view still differs: {difference}"
            );
        }
    }

    /// The difference from what the API answers for the same window.
    pub async fn difference(&self) -> Result<Option<String>> {
        let range = json!({"from": self.window["from"], "to": self.window["to"]});
        let answer = self.api.query("calendar.google.getEvents", range).await?;
        let (truth, mine) = (
            shown(answer["events"].as_array().into_iter().flatten()),
            shown(self.events.iter()),
        );
        Ok((truth != mine).then(|| format!("{mine:#?} instead of {truth:#?}")))
    }
}

/// Calendar and id of an event → its title, start and etag.
pub type Shown = BTreeMap<(String, String), (String, String, String)>;

pub fn shown<'a>(events: impl Iterator<Item = &'a Value>) -> Shown {
    events
        .map(|event| {
            let what = (text(&event["title"]), text(&event["start"]), text(&event["etag"]));
            ((text(&event["calendarId"]), text(&event["id"])), what)
        })
        .collect()
}
