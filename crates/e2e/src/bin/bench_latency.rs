//! How long a change in Google takes to a browser's socket, beside what the parts of that way take alone.
//!
//! One run measures these in turn, so that their ratio holds on any machine:
//! a durable commit to Postgres; a publish to Centrifugo's HTTP API → frame; and an event changed in the emulator → frame,
//! through push, intake, pull, commit, relay and publish. The emulator's own time to answer the change and to list it is left
//! out. The pull log shows where the time goes.

use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::Stack;
use e2e::broker::API_KEY;
use e2e::measure::{Renamed, Times, print_head};
use e2e::socket::Socket;
use serde_json::json;
use sqlx::Executor;

/// Enough for a p99 that is not one sample.
const ROUNDS: u32 = 400;
/// Rounds after which caches are filled and connections are open.
const WARM_UP: u32 = 20;
/// The goal: p50 within twice the parts that no design can leave out.
const REACH: f64 = 2.0;

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;

    let commit = commits(&stack).await?;
    let publish = publishes(&stack).await?;
    let event = Renamed::insert(&stack)?;
    socket.next().await?;
    let (change, answer) = changes(&event, &mut socket).await?;
    let list = lists(&event).await?;
    let steps = steps(&stack).await?;
    stack.end().await?;

    print_head();
    commit.print("one durable commit");
    publish.print("Centrifugo publish → frame");
    answer.print("the emulator's answer to a change");
    list.print("the emulator's answer what changed");
    change.print("change in Google → frame");
    for (step, ms) in [
        "  of it: push written down → pull begun",
        "  pull begun → committed, Google's answer in it",
        "  committed → taken by Centrifugo",
    ]
    .iter()
    .zip(steps)
    {
        println!("{step:46} {ms:9.2} (p50)");
    }
    let google = answer.ms(0.5) + list.ms(0.5);
    let way = (change.ms(0.5) - google).max(0.0);
    println!(
        "\nratio at p50, change → frame without the emulator's answers ÷ (commit + publish → frame): {:.2} (to reach: ≤ {REACH:.1})",
        way / (commit.ms(0.5) + publish.ms(0.5))
    );
    Ok(())
}

/// The medians of the steps in Calwire's own pull log, in milliseconds.
async fn steps(stack: &Stack) -> Result<[f64; 3]> {
    let medians = "select percentile_cont(0.5) within group (order by extract(epoch from started_at - asked_at)), \
                          percentile_cont(0.5) within group (order by extract(epoch from committed_at - started_at)), \
                          percentile_cont(0.5) within group (order by extract(epoch from published_at - committed_at)) \
                   from sync_rounds where outcome = 'ok' and cause = 'push' and published_at is not null";
    let (begun, committed, told): (f64, f64, f64) =
        sqlx::query_as(medians).fetch_one(&stack.database.pool).await?;
    Ok([begun, committed, told].map(|seconds| seconds * 1e3))
}

async fn commits(stack: &Stack) -> Result<Times> {
    let mut times = Times::new()?;
    let mut conn = stack.database.pool.acquire().await?;
    conn.execute("create table bench_commit (n integer)").await?;
    for n in 0..ROUNDS + WARM_UP {
        let start = Instant::now();
        conn.execute("insert into bench_commit values (1)").await?;
        if n >= WARM_UP {
            times.record(start.elapsed())?;
        }
    }
    Ok(times)
}

/// A separate channel and user, the payload of a usual change.
async fn publishes(stack: &Stack) -> Result<Times> {
    let api = stack.as_user("bench")?;
    let (mut socket, _) = stack.browser(&api).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut times = Times::new()?;
    for n in 0..ROUNDS + WARM_UP {
        let body = json!({"channel": "calendar:bench", "data": {"n": n, "payload": "x".repeat(900)}});
        let url = format!("{}/publish", stack.broker.api_url());
        let start = Instant::now();
        let publish = http.post(url).header("X-API-Key", API_KEY).json(&body).send();
        let (sent, frame) = tokio::join!(publish, socket.next());
        if n >= WARM_UP {
            times.record(start.elapsed())?;
        }
        sent?.error_for_status()?;
        ensure!(frame?["n"] == n, "another frame came");
    }
    Ok(times)
}

/// The time until the frame, and until Google's answer.
async fn changes(event: &Renamed, socket: &mut Socket) -> Result<(Times, Times)> {
    let (mut times, mut answers) = (Times::new()?, Times::new()?);
    for n in 0..ROUNDS + WARM_UP {
        let title = Renamed::title(n);
        let start = Instant::now();
        let answered = async { event.rename(n).await.map(|()| start.elapsed()) };
        let framed = async { socket.next_titled(&title).await.map(|_| start.elapsed()) };
        let (answered, framed) = tokio::join!(answered, framed);
        let (answered, framed) = (answered?, framed?);
        if n >= WARM_UP {
            times.record(framed)?;
            answers.record(answered)?;
        }
    }
    Ok((times, answers))
}

/// The request of a pull: one change since the last token.
async fn lists(event: &Renamed) -> Result<Times> {
    let mut times = Times::new()?;
    let mut token = event.list(None).await?;
    for n in 0..ROUNDS + WARM_UP {
        event.rename(n).await?;
        let start = Instant::now();
        token = event.list(Some(&token)).await?;
        if n >= WARM_UP {
            times.record(start.elapsed())?;
        }
    }
    Ok(times)
}
