//! Shared by the latency benchmarks: an event that is renamed over and over, and times with their quantiles.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Stack;
use crate::google::{ALICE, timed};

/// Times of one kind.
pub struct Times(Histogram<u64>);

impl Times {
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new(3)?))
    }

    pub fn record(&mut self, time: Duration) -> Result<()> {
        self.0.record(u64::try_from(time.as_micros())?)?;
        Ok(())
    }

    pub fn ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(quantile)).as_secs_f64() * 1e3
    }

    /// Prints the line of this kind, below the one of [`print_head`].
    pub fn print(&self, name: &str) {
        println!("{name:36} {:9.2} {:9.2}", self.ms(0.5), self.ms(0.99));
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Reports the progress of a measurement on standard error every now and then.
pub fn print_round(n: u32, rounds: u32) {
    if n.is_multiple_of((rounds / 8).max(1)) {
        eprintln!("round {n} of {rounds}");
    }
}

pub fn print_head() {
    println!("{:36} {:>9} {:>9}", "", "p50 ms", "p99 ms");
}

/// An event of alice's that is renamed through the emulator's HTTP API, as Google's own clients do.
pub struct Renamed {
    pub id: String,
    url: String,
    list_url: String,
    token: String,
    http: reqwest::Client,
}

impl Renamed {
    /// It begins as "Renamed a lot", soon enough to be among the first of alice's day.
    pub fn insert(stack: &Stack) -> Result<Self> {
        let event = timed("Renamed a lot", TimeDelta::minutes(5), "UTC");
        let event = stack.google.insert(ALICE, "primary", event)?;
        let id = event["id"].as_str().context("an event has an id")?.to_owned();
        let scopes = ["https://www.googleapis.com/auth/calendar"];
        let list_url = format!("{}calendars/primary/events", stack.google.calendar_url());
        Ok(Self {
            url: format!("{list_url}/{id}"),
            list_url,
            token: stack.google.mint(ALICE, &scopes)?.access_token,
            http: reqwest::Client::builder().no_proxy().build()?,
            id,
        })
    }

    pub fn title(n: u32) -> String {
        format!("Renamed for the {n}th time")
    }

    /// Reads all pages of the changes since the token, or of everything, as a pull does. Returns the next token.
    pub async fn list(&self, sync_token: Option<&str>) -> Result<String> {
        let mut page_token = None;
        loop {
            let mut query = vec![("maxResults", "2500")];
            query.extend(sync_token.map(|token| ("syncToken", token)));
            query.extend(page_token.as_deref().map(|token| ("pageToken", token)));
            let list = self
                .http
                .get(&self.list_url)
                .query(&query)
                .bearer_auth(&self.token);
            let page: Value = list.send().await?.error_for_status()?.json().await?;
            if let Some(next) = page["nextSyncToken"].as_str() {
                return Ok(next.to_owned());
            }
            page_token = page["nextPageToken"].as_str().map(str::to_owned);
            ensure!(page_token.is_some(), "a page without a token: {page}");
        }
    }

    /// Waits until Google has answered.
    pub async fn rename(&self, n: u32) -> Result<()> {
        let patch = self.http.patch(&self.url).bearer_auth(&self.token);
        let answer = patch.json(&json!({"summary": Self::title(n)})).send().await?;
        answer.error_for_status()?;
        Ok(())
    }
}
