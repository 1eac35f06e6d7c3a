//! How long a change in Google takes to a browser's socket, beside what the parts of that way take alone.
//!
//! One run measures three things in turn, so that their ratio holds on any machine:
//! a durable commit to Postgres; a publish to Centrifugo's HTTP API → frame; and an event changed in the emulator → frame,
//! through push, intake, pull, commit, relay and publish. The emulator's own time to answer the change is left out.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::Stack;
use e2e::broker::API_KEY;
use e2e::google::{ALICE, timed};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sqlx::Executor;

/// Enough for a p99 that is not one sample.
const ROUNDS: u32 = 400;
/// Caches are filled and connections open after so many.
const WARM_UP: u32 = 20;
/// What `facts` of this design promise: p50 within twice the parts that nobody can leave out.
const REACH: f64 = 2.0;

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;

    let commit = commits(&stack).await?;
    let publish = publishes(&stack).await?;
    let (change, answer) = changes(&stack, &mut socket).await?;
    stack.end().await?;

    println!("{:36} {:>9} {:>9}", "", "p50 ms", "p99 ms");
    row("one durable commit", &commit);
    row("Centrifugo publish → frame", &publish);
    row("the emulator's answer to a change", &answer);
    row("change in Google → frame", &change);
    let parts = ms(&commit, 0.5) + ms(&publish, 0.5);
    let way = (ms(&change, 0.5) - ms(&answer, 0.5)).max(0.0);
    println!(
        "\nratio at p50, change → frame ÷ (commit + publish → frame): {:.2} (to reach: ≤ {REACH:.1})",
        way / parts
    );
    Ok(())
}

fn row(name: &str, histogram: &Histogram<u64>) {
    println!("{name:36} {:9.2} {:9.2}", ms(histogram, 0.5), ms(histogram, 0.99));
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e3
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new(3)?)
}

fn record(histogram: &mut Histogram<u64>, since: Instant) -> Result<()> {
    histogram.record(u64::try_from(since.elapsed().as_micros())?)?;
    Ok(())
}

async fn commits(stack: &Stack) -> Result<Histogram<u64>> {
    let mut times = histogram()?;
    let mut conn = stack.database.pool.acquire().await?;
    conn.execute("create table bench_commit (n integer)").await?;
    for n in 0..ROUNDS + WARM_UP {
        let start = Instant::now();
        conn.execute("insert into bench_commit values (1)").await?;
        if n >= WARM_UP {
            record(&mut times, start)?;
        }
    }
    Ok(times)
}

/// A channel and a user of its own, the payload of a usual change.
async fn publishes(stack: &Stack) -> Result<Histogram<u64>> {
    let api = stack.as_user("bench")?;
    let (mut socket, _) = stack.browser(&api).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut times = histogram()?;
    for n in 0..ROUNDS + WARM_UP {
        let body = json!({"channel": "calendar:bench", "data": {"n": n, "payload": "x".repeat(900)}});
        let url = format!("{}/publish", stack.broker.api_url());
        let start = Instant::now();
        let publish = http.post(url).header("X-API-Key", API_KEY).json(&body).send();
        let (sent, frame) = tokio::join!(publish, socket.next());
        if n >= WARM_UP {
            record(&mut times, start)?;
        }
        sent?.error_for_status()?;
        ensure!(frame?["n"] == n, "another frame came");
    }
    Ok(times)
}

/// An event renamed through the emulator's HTTP API, as Google's own clients do.
async fn changes(
    stack: &Stack,
    socket: &mut e2e::socket::Socket,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let event = stack.google.insert(
        ALICE,
        "primary",
        timed("Renamed a lot", TimeDelta::hours(1), "UTC"),
    )?;
    let id = event["id"].as_str().context("an event has an id")?;
    socket.next().await?;
    let token = stack
        .google
        .mint(ALICE, &["https://www.googleapis.com/auth/calendar"])?
        .access_token;
    let url = format!("{}calendars/primary/events/{id}", stack.google.calendar_url());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let (mut times, mut answers) = (histogram()?, histogram()?);
    for n in 0..ROUNDS + WARM_UP {
        let title = format!("Renamed for the {n}th time");
        let start = Instant::now();
        let patch = async {
            let answer = http
                .patch(&url)
                .bearer_auth(&token)
                .json(&json!({"summary": title}))
                .send()
                .await;
            (answer, start.elapsed())
        };
        let ((answer, answered), frame) = tokio::join!(patch, titled(socket, &title));
        let frame = frame?;
        answer?.error_for_status()?;
        if n >= WARM_UP {
            times.record(u64::try_from((frame - start).as_micros())?)?;
            answers.record(u64::try_from(answered.as_micros())?)?;
        }
    }
    Ok((times, answers))
}

/// When the frame that tells of `title` came.
async fn titled(socket: &mut e2e::socket::Socket, title: &str) -> Result<Instant> {
    loop {
        let frame: Value = socket.next().await?;
        let at = Instant::now();
        if frame["upserted"][0]["occurrences"][0]["title"] == title {
            return Ok(at);
        }
    }
}
