//! Overload: refusals use the documented answers, acknowledged pushes are kept, a user who calls too often does not slow the
//! others, and everything is normal afterwards. `cargo xtask bench overload` measures the same at full size.

use std::sync::Arc;

use anyhow::{Result, ensure};
use e2e::load::{Amount, CHANNEL_TOKEN, Load, lost, push, query, seed_channels};
use e2e::{Options, Stack, rpc, wait};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

const REQUESTS: u64 = 4_000;
const MANY: Load = Load {
    amount: Amount::Requests(REQUESTS),
    rate: None,
    connections: 200,
};
const MEMORY_MAX: u64 = 256 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn pushes_beyond_capacity_are_kept_or_refused_with_503() -> Result<()> {
    let options = Options {
        renewers: 0,
        ..Options::default()
            .set("WEBHOOK_MAX_IN_FLIGHT", "16")
            .set("DATABASE_MAX_CONNECTIONS", "3")
            .set("WEBHOOK_MAX_PER_SOURCE", "1000000")
    };
    let stack = Stack::with(options).await?;
    let channels = Arc::new(seed_channels(&stack.database.pool, 500).await?);
    let ingest = &stack.ingests[0];

    let pushed = Arc::clone(&channels);
    let channel = move |number: u64| pushed[usize::try_from(number).unwrap_or(0) % pushed.len()];
    let of = channel.clone();
    let outcome = MANY
        .run(ingest.port(), move |number| push(&of(number), CHANNEL_TOKEN))
        .await?;
    println!("genuine pushes: {outcome}");
    outcome.ensure_only(&[200, 503])?;
    ensure!(
        outcome.statuses.len() == 2,
        "the load exceeded the capacity: {outcome}"
    );
    ensure!(outcome.answered() == REQUESTS);
    let acknowledged = outcome.acknowledged.iter().map(|&number| channel(number));
    ensure!(
        lost(&stack.database.pool, acknowledged).await? == 0,
        "an acknowledged push is lost"
    );

    // Guesses are slowed down, then refused like any excess.
    let outcome = MANY
        .run(ingest.port(), |_| push(&Uuid::new_v4(), "guess"))
        .await?;
    println!("forged pushes: {outcome}");
    outcome.ensure_only(&[404, 503])?;
    ensure!(ingest.process()?.resident()? < MEMORY_MAX);

    let one = Load {
        amount: Amount::Requests(1),
        rate: None,
        connections: 1,
    };
    wait::until("a push is accepted as before", async || {
        let channel = channels[0];
        let outcome = one
            .run(ingest.port(), move |_| push(&channel, CHANNEL_TOKEN))
            .await
            .ok()?;
        outcome.statuses.contains_key(&200).then_some(())
    })
    .await;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_capacity_do_not_delay_other_users() -> Result<()> {
    let options = Options {
        ingests: 0,
        renewers: 0,
        ..Options::default()
            .set("DATABASE_MAX_CONNECTIONS", "2")
            .set("RATE_LIMIT_PER_MINUTE", "100")
    };
    let stack = Stack::with(options).await?;
    let port = stack.api.port();
    for procedure in [
        "calendar.google.status",
        "calendar.google.getUpcomingEvents",
        "realtime.getState",
    ] {
        let many: Vec<String> = (0..200)
            .map(|n| rpc::jwt(&format!("user-{n}")))
            .collect::<Result<_>>()?;
        let of = move |number: u64| many[usize::try_from(number).unwrap_or(0) % many.len()].clone();
        let load = Load {
            amount: Amount::Requests(2_000),
            ..MANY
        };
        let outcome = load
            .run(port, move |number| query(procedure, Some(&of(number))))
            .await?;
        println!("{procedure} of many users: {outcome}");
        outcome.ensure_only(&[200, 429, 503])?;
    }
    for (what, jwt) in [
        ("nobody", None),
        ("a forger", Some("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")),
    ] {
        let outcome = MANY
            .run(port, move |_| query("calendar.google.status", jwt))
            .await?;
        println!("{what}: {outcome}");
        outcome.ensure_only(&[401])?;
    }

    // The user who calls without pause has to wait; other callers are answered.
    let noisy = rpc::jwt("noisy")?;
    let load = Load {
        amount: Amount::Requests(10_000),
        ..MANY
    };
    let flood = tokio::spawn(load.run(port, move |_| query("calendar.google.status", Some(&noisy))));
    for n in 0..50 {
        let quiet = stack.as_user(&format!("quiet-{n}"))?;
        quiet.query("calendar.google.status", Value::Null).await?;
    }
    let outcome = flood.await??;
    println!("one user alone: {outcome}");
    outcome.ensure_only(&[200, 429, 503])?;
    ensure!(
        outcome.statuses.get(&429).is_some_and(|&refused| refused > 9_000),
        "{outcome}"
    );
    ensure!(stack.api.process()?.resident()? < MEMORY_MAX);
    stack.end().await
}

/// Half-sent requests, and silent sockets.
#[tokio::test(flavor = "multi_thread")]
async fn every_service_closes_slow_and_silent_sockets() -> Result<()> {
    let stack = Stack::start().await?;
    let body = "POST /trpc/calendar.google.syncNow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{\"half";
    let said = [
        "",
        "GET /heal",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        body,
    ];
    let mut sockets = Vec::new();
    for service in [&stack.api, &stack.ingests[0], &stack.renewers[0]] {
        for said in said {
            for _ in 0..40 {
                let mut socket = TcpStream::connect(("127.0.0.1", service.port())).await?;
                socket.write_all(said.as_bytes()).await?;
                sockets.push((said, socket));
            }
        }
        // They do not delay other requests.
        ensure!(
            reqwest::get(format!("{}/healthz", service.url()))
                .await?
                .status()
                .is_success()
        );
    }
    for (said, mut socket) in sockets {
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(wait::PATIENCE, socket.read_to_end(&mut answer)).await;
        ensure!(closed.is_ok(), "still open after {:?}: {said:?}", wait::PATIENCE);
        let answer = String::from_utf8_lossy(&answer);
        let refused = ["HTTP/1.1 401", "HTTP/1.1 404", "HTTP/1.1 408"];
        ensure!(
            answer.is_empty() || refused.iter().any(|status| answer.starts_with(status)),
            "{said:?}: {answer}"
        );
    }
    stack.end().await
}
