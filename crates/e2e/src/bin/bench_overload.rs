//! Ten times the capacity on each public endpoint: the answers, the latency of admitted requests, the memory, whether an
//! acknowledged push is lost, how soon calm traffic is normal again, and whether one noisy user slows the others.
//!
//! The capacity is measured first, with requests sent as soon as the previous one is answered. Then requests are sent for a
//! minute at ten times that rate, regardless of answers. If this machine, which also sends them, cannot keep up, the rate
//! reached is shown, and the sender's delay is excluded from the latency. The services are separate processes, as in
//! production.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use e2e::load::{Amount, CHANNEL_TOKEN, Load, LoadOutcome, lost, push, query, seed_channels};
use e2e::stack::Service;
use e2e::{Options, Stack, rpc};
use uuid::Uuid;

/// How long the overload lasts.
const OVERLOAD: Duration = Duration::from_mins(1);
const TIMES: f64 = 10.0;
const CONNECTIONS: usize = 1_500;
const CHANNELS: usize = 20_000;
const USERS: usize = 5_000;
const MEMORY_MAX: u64 = 128 << 20;
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// Requests by their numbers.
type Requests = Arc<dyn Fn(u64) -> String + Send + Sync>;

struct Endpoint<'a> {
    name: &'static str,
    service: &'a Service,
    requests: Requests,
    allowed: &'static [u16],
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options {
        renewers: 0,
        ..Options::default()
            .set("RUST_LOG", "warn")
            .set("WEBHOOK_MAX_PER_SOURCE", "100000000")
    };
    let stack = Stack::with(options).await?;
    let channels = Arc::new(seed_channels(&stack.database.pool, CHANNELS).await?);
    let users: Vec<String> = (0..USERS)
        .map(|n| rpc::jwt(&format!("user-{n}")))
        .collect::<Result<_>>()?;
    let users = Arc::new(users);
    let pushed = Arc::clone(&channels);
    let of_many = |procedure: &'static str| -> Requests {
        let users = Arc::clone(&users);
        Arc::new(move |number| query(procedure, Some(&users[index(number, users.len())])))
    };
    let endpoints = [
        Endpoint {
            name: "intake, genuine pushes",
            service: &stack.ingests[0],
            requests: Arc::new(move |number| push(&pushed[index(number, pushed.len())], CHANNEL_TOKEN)),
            allowed: &[200, 503],
        },
        Endpoint {
            name: "intake, forged pushes",
            service: &stack.ingests[0],
            requests: Arc::new(|_| push(&Uuid::new_v4(), "guess")),
            allowed: &[404, 503],
        },
        Endpoint {
            name: "API, status",
            service: &stack.api,
            requests: of_many("calendar.google.status"),
            allowed: &[200, 401, 429, 503],
        },
        Endpoint {
            name: "API, state of a page",
            service: &stack.api,
            requests: of_many("realtime.getState"),
            allowed: &[200, 401, 429, 503],
        },
        Endpoint {
            name: "API, no token",
            service: &stack.api,
            requests: Arc::new(|_| query("calendar.google.status", None)),
            allowed: &[401, 429, 503],
        },
    ];
    println!(
        "{:<24} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9}  answers",
        "", "capacity", "offered", "answered", "p99 ms", "RSS MiB", "normal s"
    );
    let mut failures = Vec::new();
    for endpoint in &endpoints {
        if let Err(error) = overload(endpoint, &stack, &channels).await {
            println!("{}: {error:#}", endpoint.name);
            failures.push(endpoint.name);
        }
    }
    if let Err(error) = noisy(&stack).await {
        println!("one noisy user: {error:#}");
        failures.push("one noisy user");
    }
    stack.end().await?;
    if !failures.is_empty() {
        bail!("missed: {}", failures.join(", "));
    }
    Ok(())
}

fn index(number: u64, len: usize) -> usize {
    usize::try_from(number).unwrap_or(0) % len
}

async fn overload(endpoint: &Endpoint<'_>, stack: &Stack, channels: &[Uuid]) -> Result<()> {
    let port = endpoint.service.port();
    let send = async |load: Load| {
        let requests = Arc::clone(&endpoint.requests);
        load.run(port, move |number| requests(number)).await
    };
    let before = send(calm()).await?;
    let full = Load {
        amount: Amount::Requests(20_000),
        rate: None,
        connections: 64,
    };
    let capacity = send(full).await?.throughput();
    let offered = capacity * TIMES;
    let load = Load {
        amount: Amount::During(OVERLOAD),
        rate: Some(offered),
        connections: CONNECTIONS,
    };
    let outcome = send(load).await?;
    let over = Instant::now();
    let memory = endpoint.service.process()?.resident()?;
    let normal = normal_again(&send, &before, over).await;
    println!(
        "{:<24} {capacity:>9.0} {offered:>9.0} {:>9.0} {:>8.0} {:>8} {:>9.1}  {outcome}",
        endpoint.name,
        outcome.throughput(),
        outcome.served_quantile(0.99).as_secs_f64() * 1e3,
        memory >> 20,
        normal.as_ref().map_or(f64::NAN, Duration::as_secs_f64),
    );
    normal?;
    outcome.ensure_only(endpoint.allowed)?;
    ensure!(memory < MEMORY_MAX, "{} MiB of memory", memory >> 20);
    let acknowledged = outcome
        .acknowledged
        .iter()
        .map(|&number| channels[index(number, channels.len())]);
    if endpoint.allowed == [200, 503] {
        let lost = lost(&stack.database.pool, acknowledged).await?;
        ensure!(
            lost == 0,
            "{lost} calendars whose push was acknowledged are not due"
        );
    }
    Ok(())
}

/// A low rate, as on a quiet day.
const fn calm() -> Load {
    Load {
        amount: Amount::Requests(100),
        rate: Some(100.0),
        connections: 4,
    }
}

/// The time until calm traffic is answered as before.
async fn normal_again(
    send: &impl AsyncFn(Load) -> Result<LoadOutcome>,
    before: &LoadOutcome,
    over: Instant,
) -> Result<Duration> {
    let bound = (before.quantile(0.99) * 3).max(Duration::from_millis(50));
    let usual: Vec<u16> = before.statuses.keys().copied().collect();
    while over.elapsed() < RECOVERY_MAX + Duration::from_secs(5) {
        let passed = over.elapsed();
        let now = send(calm()).await?;
        if now.ensure_only(&usual).is_ok() && now.quantile(0.99) <= bound {
            ensure!(passed <= RECOVERY_MAX, "normal only after {passed:?}");
            return Ok(passed);
        }
    }
    bail!("not normal again after {:?}", over.elapsed())
}

/// One user calls without pause; the others call now and then.
async fn noisy(stack: &Stack) -> Result<()> {
    let port = stack.api.port();
    let quiet: Vec<String> = (0..50)
        .map(|n| rpc::jwt(&format!("quiet-{n}")))
        .collect::<Result<_>>()?;
    let quiet = Arc::new(quiet);
    let calls = async || {
        let quiet = Arc::clone(&quiet);
        let load = Load {
            amount: Amount::Requests(500),
            rate: Some(50.0),
            connections: 8,
        };
        load.run(port, move |number| {
            query("calendar.google.status", Some(&quiet[index(number, quiet.len())]))
        })
        .await
    };
    let alone = calls().await?;
    let jwt = rpc::jwt("noisy")?;
    let flood = Load {
        amount: Amount::Requests(200_000),
        rate: None,
        connections: 256,
    };
    let flood = tokio::spawn(flood.run(port, move |_| query("calendar.google.status", Some(&jwt))));
    let beside = calls().await?;
    let flooded = flood.await??;
    println!(
        "\none user's flood: {flooded}\nothers: p99 {:.1} ms alone, {:.1} ms beside it ({beside})",
        alone.quantile(0.99).as_secs_f64() * 1e3,
        beside.quantile(0.99).as_secs_f64() * 1e3
    );
    beside.ensure_only(&[200])?;
    flooded.ensure_only(&[200, 429, 503])
}
