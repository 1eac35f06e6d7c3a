//! Background traffic: people change events in Google, read, and write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use google_emulator::Emulator;
use serde_json::{Value, json};

use crate::google::{ALICE, now, timed};
use crate::rpc::Api;
use crate::wait;

/// The number of each so far.
#[derive(Debug, Default)]
pub struct Traffic {
    over: AtomicBool,
    pub changes: AtomicUsize,
    pub reads: AtomicUsize,
    pub writes: AtomicUsize,
    /// Repeated requests.
    pub repeated: AtomicUsize,
}

impl Traffic {
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Changes, reads and writes.
    pub fn done(&self) -> [usize; 3] {
        [&self.changes, &self.reads, &self.writes].map(|count| count.load(Ordering::Relaxed))
    }

    /// Changes events of alice in Google.
    pub async fn changes(&self, google: &Emulator) -> Result<()> {
        while !self.is_over() {
            let n = self.changes.fetch_add(1, Ordering::Relaxed);
            let at = TimeDelta::minutes(i64::try_from(n % 600)?);
            google.insert(ALICE, "primary", timed(&format!("Change {n}"), at, "UTC"))?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Reads; each has to succeed at the first attempt.
    pub async fn reads(&self, api: &Api) -> Result<()> {
        while !self.is_over() {
            let n = self.reads.fetch_add(1, Ordering::Relaxed);
            api.query("calendar.google.getUpcomingEvents", json!({"days": 1}))
                .await
                .with_context(|| format!("read {n}"))?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Creates events and returns the titles of the acknowledged ones. `patience`: how long a request without an answer is
    /// repeated with its key, as a page does.
    pub async fn writes(&self, api: &Api, calendar: &str, patience: Duration) -> Result<Vec<String>> {
        let mut written = Vec::new();
        while !self.is_over() {
            let n = self.writes.fetch_add(1, Ordering::Relaxed);
            let title = format!("Write {n}");
            let start = now() + TimeDelta::hours(2);
            let event = json!({"title": title, "start": start, "end": start + TimeDelta::hours(1)});
            let input = json!({
                "idempotencyKey": uuid::Uuid::new_v4().to_string(), "calendarId": calendar, "event": event,
            });
            self.write(api, &input, patience)
                .await
                .with_context(|| title.clone())?;
            written.push(title);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(written)
    }

    async fn write(&self, api: &Api, input: &Value, patience: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            let Err(error) = api.mutate("calendar.google.createEvent", input.clone()).await else {
                return Ok(());
            };
            if started.elapsed() >= patience {
                return Err(error);
            }
            self.repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until each of these events is there, and fails if one is there twice.
pub async fn each_is_there_once(api: &Api, written: &[String]) -> Result<()> {
    let range = json!({"from": now(), "to": now() + TimeDelta::hours(6)});
    // A write may have been answered "pending"; it is done within seconds.
    let titles = async || -> Result<Vec<String>> {
        let answer = api.query("calendar.google.getEvents", range.clone()).await?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let titles = events.iter().filter_map(|event| event["title"].as_str());
        Ok(titles
            .filter(|title| title.starts_with("Write "))
            .map(str::to_owned)
            .collect())
    };
    wait::until("every acknowledged write is there", async || {
        let found = titles().await.ok()?;
        written.iter().all(|title| found.contains(title)).then_some(())
    })
    .await;
    let found = titles().await?;
    anyhow::ensure!(found.len() == written.len(), "not each once: {found:?}");
    Ok(())
}
