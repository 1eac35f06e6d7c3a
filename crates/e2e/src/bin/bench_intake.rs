//! Durable webhook intake beside the two things it lies between, in the same run: a bare actix handler that answers 200,
//! and one `INSERT … ON CONFLICT` for each request. Ratios hold from run to run; pushes per second do not.
//!
//! The load generator is this process too: 256 keep-alive connections on two threads, each with one push under way.
//! Nothing is pulled during the run. The effect of the pushes is checked afterwards, so that a fast wrong answer does not
//! count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use anyhow::{Context, Result, bail, ensure};
use e2e::load::{CHANNEL_TOKEN, RESOURCE, seed_channels};
use e2e::measure::median;
use e2e::reference;
use hdrhistogram::Histogram;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use webhook_ingest::{Application, Config};

const CONNECTIONS: usize = 256;
const GENERATORS: usize = 2;
const ROUNDS: usize = 5;
/// Calendars that get one push each in a round of distinct ones, and those that get all of a round of hot ones.
const CALENDARS: usize = 60_000;
const HOT: usize = 100;
/// Pushes of a round.
const PUSHES: usize = 60_000;
const SINGLE_PUSHES: usize = 12_000;
const IDLE_PUSHES: usize = 1_000;

/// The measurements of a round, in order.
const DESIGNS: [(&str, Path, Target, usize); 5] = [
    ("bare actix handler", Path::Bare, Target::Distinct, PUSHES),
    (
        "one INSERT … ON CONFLICT per request",
        Path::Single,
        Target::Distinct,
        SINGLE_PUSHES,
    ),
    (
        "intake, distinct calendars",
        Path::Intake,
        Target::Distinct,
        PUSHES,
    ),
    ("intake, hot calendars", Path::Intake, Target::Hot, PUSHES),
    (
        "intake, hot calendars under pull",
        Path::Intake,
        Target::Pulled,
        PUSHES,
    ),
];

#[derive(Clone, Copy)]
enum Path {
    Bare,
    Single,
    Intake,
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    Distinct,
    Hot,
    /// Hot, and leased by a worker: every push must be written.
    Pulled,
}

#[tokio::main]
async fn main() -> Result<()> {
    let server =
        std::env::var("DATABASE_URL").context("DATABASE_URL is not set: run `cargo xtask bench intake`")?;
    let name = format!("calwire_bench_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&server)
        .await
        .context("cannot reach Postgres")?;
    admin
        .execute(sqlx::AssertSqlSafe(format!("create database {name}")))
        .await?;
    let mut url = Url::parse(&server)?;
    url.set_path(&name);
    let outcome = run(url.as_str()).await;
    admin
        .execute(sqlx::AssertSqlSafe(format!("drop database {name} with (force)")))
        .await?;
    outcome
}

async fn run(database_url: &str) -> Result<()> {
    let pool = PgPool::connect(database_url).await?;
    store::MIGRATOR.run(&pool).await?;
    let channels = Arc::new(seed_channels(&pool, CALENDARS).await?);
    pool.execute("create table single (resource_id uuid primary key, dirty_seq bigint not null)")
        .await?;
    let stop = CancellationToken::new();
    let intake = start_intake(database_url, stop.clone()).await?;
    let (bare, single) = (reference::start_bare()?, start_single(database_url).await?);
    let address = |path| match path {
        Path::Bare => (bare, "/"),
        Path::Single => (single, "/"),
        Path::Intake => (intake, "/api/calendar/webhook"),
    };

    // Channels are read once and then cached; the first time is measured separately.
    let cold = load(address(Path::Intake), &channels, CALENDARS, CALENDARS).await?;
    let mut rates = vec![Vec::new(); DESIGNS.len()];
    for _ in 0..ROUNDS {
        for ((_, path, target, pushes), rates) in DESIGNS.iter().zip(&mut rates) {
            settle(&pool, *target).await?;
            let distinct = if *target == Target::Distinct {
                CALENDARS
            } else {
                HOT
            };
            rates.push(load(address(*path), &channels, distinct, *pushes).await?);
            if matches!(path, Path::Intake) {
                check(&pool, distinct, *target).await?;
            }
        }
    }
    let (idle, commit) = idle_latency(&pool, address(Path::Intake), &channels).await?;
    stop.cancel();
    report(cold, &rates, &idle, &commit);
    Ok(())
}

fn report(cold: f64, rates: &[Vec<f64>], idle: &Histogram<u64>, commit: &Histogram<u64>) {
    let medians: Vec<f64> = rates.iter().map(|rates| median(rates)).collect();
    let [bare, single, distinct, hot, pulled] = medians[..] else {
        return;
    };
    println!("{CONNECTIONS} connections, median of {ROUNDS} rounds, generator on the same machine\n");
    println!("{:<40} {:>10} {:>8} {:>10}", "", "pushes/s", "÷ bare", "÷ single");
    for ((name, ..), rate) in DESIGNS.iter().zip(&medians) {
        println!(
            "{name:<40} {rate:>10.0} {:>8.2} {:>10.1}",
            rate / bare,
            rate / single
        );
    }
    println!(
        "{:<40} {cold:>10.0} {:>8.2} {:>10.1}",
        "intake, channels seen for the first time",
        cold / bare,
        cold / single
    );
    let (idle, commit) = (idle.value_at_quantile(0.5), commit.value_at_quantile(0.5));
    #[expect(clippy::cast_precision_loss, reason = "microseconds of one commit")]
    let latency = idle as f64 / commit as f64;
    println!("\nidle intake {idle} µs, one bare commit {commit} µs (p50)\n");
    for (name, ratio, goal, at_least) in [
        ("distinct ÷ bare", distinct / bare, 0.60, true),
        ("distinct ÷ single", distinct / single, 6.0, true),
        ("hot ÷ bare", hot / bare, 0.75, true),
        ("hot under pull ÷ bare", pulled / bare, 0.75, true),
        ("idle latency ÷ commit", latency, 1.5, false),
    ] {
        let met = if at_least { ratio >= goal } else { ratio <= goal };
        let sign = if at_least { "≥" } else { "≤" };
        println!(
            "{name:<24} {ratio:>6.2}   goal {sign} {goal:<5} {}",
            if met { "met" } else { "missed" }
        );
    }
}

async fn start_intake(database_url: &str, stop: CancellationToken) -> Result<u16> {
    let vars = [
        ("DATABASE_URL", database_url),
        ("LISTEN_ADDR", "127.0.0.1:0"),
        ("GOOGLE_CLIENT_ID", "client"),
        ("GOOGLE_CLIENT_SECRET", "secret"),
        // There is nothing to pull or to publish.
        ("GOOGLE_BASE_URL", "http://127.0.0.1:9/"),
        ("CENTRIFUGO_API_URL", "http://127.0.0.1:9/"),
        ("CENTRIFUGO_API_KEY", "5f0f6c1d9e7b4a3c8d2e1f0a9b8c7d6e"),
        ("TOKEN_KEYS", "1:OHfStxJVmN+4DjQYADk5IJiZT7jg6uZJIXg0Ay2kzVE="),
        ("WEBHOOK_MAX_PER_SOURCE", "100000000"),
    ];
    let config: Config = common::config::from_vars(vars.map(|(name, value)| (name.into(), value.into())))?;
    let application = Application::build(config).await?;
    let port = application.port();
    tokio::spawn(application.run_until_stopped(stop));
    Ok(port)
}

/// A handler that does the obvious thing.
async fn start_single(database_url: &str) -> Result<u16> {
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect(database_url)
        .await?;
    reference::start(move |config| {
        config
            .app_data(web::Data::new(pool.clone()))
            .default_service(web::to(single));
    })
}

async fn single(request: actix_web::HttpRequest, pool: web::Data<PgPool>) -> HttpResponse {
    let id = request
        .headers()
        .get("x-goog-channel-id")
        .and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok());
    let inserted = sqlx::query(
        "insert into single (resource_id, dirty_seq) values ($1, 1)
         on conflict (resource_id) do update set dirty_seq = single.dirty_seq + 1",
    )
    .bind(id)
    .execute(&**pool)
    .await;
    match inserted {
        Ok(_) => HttpResponse::Ok().finish(),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

/// Sets every calendar as just pulled or, for `Pulled`, as being pulled.
async fn settle(pool: &PgPool, target: Target) -> Result<()> {
    sqlx::query(
        "update sync_state set synced_seq = dirty_seq, lease_token = case when $1 then gen_random_uuid() end
         where synced_seq < dirty_seq or (lease_token is not null) <> $1",
    )
    .bind(target == Target::Pulled)
    .execute(pool)
    .await?;
    pool.execute("vacuum sync_state").await?;
    Ok(())
}

/// Every calendar that was pushed is due, and no other.
async fn check(pool: &PgPool, distinct: usize, target: Target) -> Result<()> {
    let due: i64 = sqlx::query_scalar("select count(*) from sync_state where dirty_seq > synced_seq")
        .fetch_one(pool)
        .await?;
    ensure!(
        usize::try_from(due)? == distinct,
        "{due} calendars are due after pushes to {distinct}"
    );
    let raised: i64 = sqlx::query_scalar("select max(dirty_seq - synced_seq)::bigint from sync_state")
        .fetch_one(pool)
        .await?;
    ensure!(
        (raised > 1) == (target == Target::Pulled),
        "a calendar was raised {raised} times"
    );
    Ok(())
}

/// Pushes per second over `pushes` requests to the first `distinct` channels in turn.
async fn load(
    (port, path): (u16, &'static str),
    channels: &Arc<Vec<Uuid>>,
    distinct: usize,
    pushes: usize,
) -> Result<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let generators: Vec<_> = (0..GENERATORS)
        .map(|_| {
            let (channels, next) = (channels.clone(), next.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let connections = (0..CONNECTIONS / GENERATORS)
                    .map(|_| connection(port, path, &channels, distinct, pushes, &next));
                runtime
                    .block_on(futures_util::future::try_join_all(connections))
                    .map(|_| ())
            })
        })
        .collect();
    for generator in generators {
        let joined: Result<Result<()>, _> = tokio::task::spawn_blocking(move || generator.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("a generator panicked"))??;
    }
    #[expect(clippy::cast_precision_loss, reason = "some ten thousand")]
    Ok(pushes as f64 / started.elapsed().as_secs_f64())
}

async fn connection(
    port: u16,
    path: &str,
    channels: &[Uuid],
    distinct: usize,
    pushes: usize,
    next: &AtomicUsize,
) -> Result<()> {
    let mut socket = Socket::open(port, path).await?;
    loop {
        let push = next.fetch_add(1, Ordering::Relaxed);
        if push >= pushes {
            return Ok(());
        }
        socket.push(channels[push % distinct]).await?;
    }
}

/// One keep-alive connection that sends pushes as Google does, all alike but for the channel.
struct Socket {
    stream: TcpStream,
    request: Vec<u8>,
    channel_at: usize,
    answer: Vec<u8>,
}

impl Socket {
    async fn open(port: u16, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let before = format!("POST {path} HTTP/1.1\r\nHost: calwire\r\nX-Goog-Channel-ID: ");
        let after = format!(
            "\r\nX-Goog-Channel-Token: {CHANNEL_TOKEN}\r\nX-Goog-Resource-ID: {RESOURCE}\r\nX-Goog-Resource-State: exists\r\n\
             X-Goog-Resource-URI: https://www.googleapis.com/calendar/v3/calendars/x/events?alt=json\r\n\
             X-Goog-Message-Number: 165139\r\nX-Goog-Channel-Expiration: Tue, 19 Nov 2030 01:13:52 GMT\r\n\
             Content-Type: application/json; utf-8\r\nContent-Length: 0\r\nAccept: */*\r\n\
             User-Agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)\r\n\r\n"
        );
        Ok(Self {
            stream,
            channel_at: before.len(),
            request: format!("{before}{}{after}", Uuid::nil()).into_bytes(),
            answer: vec![0; 1024],
        })
    }

    /// Sends one push and reads its answer, which must be a 200 without a body.
    async fn push(&mut self, channel: Uuid) -> Result<()> {
        let id = &mut self.request[self.channel_at..self.channel_at + uuid::fmt::Hyphenated::LENGTH];
        channel.hyphenated().encode_lower(id);
        self.stream.write_all(&self.request).await?;
        let mut read = 0;
        while !self.answer[..read].ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut self.answer[read..]).await? {
                0 => bail!("the connection was closed"),
                n => read += n,
            }
        }
        if !self.answer.starts_with(b"HTTP/1.1 200 ") {
            bail!(
                "a push was answered {}",
                String::from_utf8_lossy(&self.answer[..read])
            );
        }
        Ok(())
    }
}

/// How long one push at a time takes, and beside it one commit of the same change, in microseconds.
async fn idle_latency(
    pool: &PgPool,
    (port, path): (u16, &'static str),
    channels: &[Uuid],
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    settle(pool, Target::Distinct).await?;
    let (mut idle, mut commit) = (Histogram::new(3)?, Histogram::new(3)?);
    let mut socket = Socket::open(port, path).await?;
    let mut conn = pool.acquire().await?;
    let micros = |since: Instant| u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    for pair in channels[..2 * IDLE_PUSHES].chunks(2) {
        let started = Instant::now();
        socket.push(pair[0]).await?;
        idle.record(micros(started))?;
        let started = Instant::now();
        sqlx::query(
            "update sync_state set dirty_seq = dirty_seq + 1, last_push_at = now() where resource_id = $1",
        )
        .bind(pair[1])
        .execute(&mut *conn)
        .await?;
        commit.record(micros(started))?;
        // The work that the push wakes is not measured.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok((idle, commit))
}
