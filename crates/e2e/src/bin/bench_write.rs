//! How long a write takes from one tab to another, beside the same write's bare round trip to Google.
//!
//! Each round renames an event twice: by a PATCH straight to the emulator, as if there were no Calwire, and by `updateEvent`.
//! For the second it measures when the writing tab has its answer, when the frame reaches a socket of the same user, and when
//! the new title is in the DOM of another tab in a real Chromium, all by this machine's clock.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use e2e::Stack;
use e2e::google::{ALICE, now};
use e2e::measure::{Renamed, Times, print_head, print_round};
use e2e::rpc::Api;
use e2e::socket::Socket;
use e2e::window::{Window, with_page};
use serde_json::{Value, json};

/// Enough for a p99 that is not one sample.
const ROUNDS: u32 = 300;
/// Rounds after which caches are filled and code is compiled.
const WARM_UP: u32 = 20;
/// Between rounds, so that changes are not combined.
const PAUSE: Duration = Duration::from_millis(30);

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::with(with_page()?).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let bare = Renamed::insert(&stack)?;
    let ours = Renamed::insert(&stack)?;
    stack.settled("alice").await;
    let mut window = Window::open(&stack).await?;
    let mut writer = Writer::new(alice, calendar, &ours, &stack)?;

    let (mut trips, mut answers) = (Times::new()?, Times::new()?);
    let (mut frames, mut screens, mut behind) = (Times::new()?, Times::new()?, Times::new()?);
    for n in 0..ROUNDS + WARM_UP {
        print_round(n, ROUNDS + WARM_UP);
        spare_the_quota(&stack).await?;
        let start = now();
        bare.rename(2 * n).await?;
        let trip = now() - start;
        framed(&mut socket, 2 * n).await?;
        window.shown(2 * n).await?;
        tokio::time::sleep(PAUSE).await;

        let n_of_ours = 2 * n + 1;
        let start = now();
        let (answered, frame, shown) = tokio::join!(
            writer.rename(n_of_ours),
            framed(&mut socket, n_of_ours),
            window.shown(n_of_ours)
        );
        let (answered, frame, shown) = (answered?, frame?, shown?);
        if n >= WARM_UP {
            trips.record(trip.to_std()?)?;
            answers.record((answered - start).to_std()?)?;
            frames.record((frame - start).to_std()?)?;
            screens.record((shown - start).to_std()?)?;
            // The other tab may even be first.
            behind.record((shown - answered).max(TimeDelta::zero()).to_std()?)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    window.close().await?;
    stack.end().await?;

    print_head();
    trips.print("bare PATCH to Google and back");
    answers.print("write → acknowledged");
    frames.print("write → the other tab's frame");
    screens.print("write → the other tab's DOM");
    behind.print("acknowledged → the other tab's DOM");
    println!();
    for (name, times) in [
        ("write → acknowledged", &answers),
        ("write → the other tab's DOM", &screens),
        ("acknowledged → the other tab's DOM", &behind),
    ] {
        let ratio = |quantile| times.ms(quantile) / trips.ms(quantile);
        println!(
            "ratio, {name} ÷ bare: {:.2} at p50, {:.2} at p99",
            ratio(0.5),
            ratio(0.99)
        );
    }
    Ok(())
}

/// Lifts the quota: a measurement makes more calls than a user's share allows.
async fn spare_the_quota(stack: &Stack) -> Result<()> {
    sqlx::query("delete from quota_usage")
        .execute(&stack.database.pool)
        .await?;
    Ok(())
}

/// When the frame of the `n`th name arrived.
async fn framed(socket: &mut Socket, n: u32) -> Result<DateTime<Utc>> {
    socket.next_titled(&Renamed::title(n)).await?;
    Ok(now())
}

/// The tab that writes.
struct Writer {
    api: Api,
    calendar: String,
    id: String,
    etag: Value,
}

impl Writer {
    fn new(api: Api, calendar: String, event: &Renamed, stack: &Stack) -> Result<Self> {
        let stored = stack.google.event(ALICE, &event.id).context("it is there")?;
        Ok(Self {
            api,
            calendar,
            id: event.id.clone(),
            etag: stored["etag"].clone(),
        })
    }

    /// When it was acknowledged.
    async fn rename(&mut self, n: u32) -> Result<DateTime<Utc>> {
        let title = Renamed::title(n);
        let input = json!({
            "idempotencyKey": format!("rename-{n}"), "calendarId": self.calendar, "eventId": self.id, "baseEtag": self.etag,
            "patch": {"title": title},
        });
        let answer = self.api.mutate("calendar.google.updateEvent", input).await?;
        let answered = now();
        ensure!(
            answer["pending"] == false && answer["merged"] == false,
            "{answer}"
        );
        self.etag = answer["event"]["etag"].clone();
        Ok(answered)
    }
}
