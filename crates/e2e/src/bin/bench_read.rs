//! Reads beside two references in the same run: a bare actix handler, and a Node.js program with Hono and pg that runs two
//! statements on the same tables (`web/reference`).
//!
//! One user is imported from the emulator, with 1,000 instances in four calendars, a third of them in series; the others are
//! copies of their rows. Nothing else runs during the measurement. `BENCH_USERS`: how many users, 2,000 by default.

use std::process::Stdio;
use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::broker::workspace_root;
use e2e::google::{account, add_account, timed};
use e2e::load::{Amount, Load, LoadOutcome, query};
use e2e::measure::median;
use e2e::rpc::{self, Api};
use e2e::{Options, Stack};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const USERS: u64 = 2_000;
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
/// Reads of a round, each of another user.
const READS: u64 = 10_000;

const CALENDARS: [&str; 4] = ["bench-1@example.com", "team", "family", "sports"];
const SINGLE_EVENTS: i64 = 166;
const SERIES: i64 = 2;
const INSTANCES_OF_SERIES: i64 = 42;

/// The tables of a user, their rows, and which columns differ in a copy: `id(…)` is another id.
const COPIED: [(&str, &str, &[&str]); 6] = [
    ("connections", "user_id = 'bench-1'", &["id"]),
    ("calendars", "user_id = 'bench-1'", &["id", "connection_id"]),
    (
        "sync_state",
        "user_id = 'bench-1'",
        &["resource_id", "connection_id"],
    ),
    ("user_stream", "user_id = 'bench-1'", &["epoch"]),
    (
        "events",
        "calendar_id in (select id from calendars where user_id = 'bench-1')",
        &["calendar_id"],
    ),
    ("occurrences", "user_id = 'bench-1'", &["calendar_id"]),
];
/// Users copied by one statement.
const CHUNK: u64 = 100;

const UPCOMING: &str = "calendar.google.getUpcomingEvents?input=%7B%22days%22%3A7%2C%22maxResults%22%3A20%7D";
const PROCEDURES: [(&str, &str); 3] = [
    ("getState", "realtime.getState?input=%7B%22live%22%3Afalse%7D"),
    ("listCalendars", "calendar.google.listCalendars"),
    ("status", "calendar.google.status"),
];

#[tokio::main]
async fn main() -> Result<()> {
    let users = match std::env::var("BENCH_USERS") {
        Ok(users) => users.parse().context("BENCH_USERS is not a number")?,
        Err(_) => USERS,
    };
    let options = Options {
        renewers: 0,
        ..Options::default().set("RATE_LIMIT_PER_MINUTE", "100000000")
    };
    let mut stack = Stack::with(options).await?;
    eprintln!("importing from the emulator");
    let snapshots = [
        ("demo user", stack.connect_and_settle("alice").await?),
        ("30 recurring meetings, 8 guests each", meetings(&stack).await?),
    ];
    template(&stack).await?;
    for ingest in &mut stack.ingests {
        ingest.kill().await;
    }
    copy(&stack.database.pool, users).await?;

    let node = Node::start(&stack.database.url).await?;
    let jwts = (1..=users).map(|user| rpc::jwt(&format!("bench-{user}")));
    let bench = Bench {
        bare: start_bare()?,
        node: node.port,
        api: stack.api.port(),
        jwts: jwts.collect::<Result<_>>()?,
    };
    bench.run().await?;

    println!();
    for (name, api) in &snapshots {
        let (plain, compressed) = (bytes(api, "identity").await?, bytes(api, "gzip").await?);
        println!("snapshot, {name:36} {plain:>8} bytes, {compressed:>8} with gzip accepted");
    }
    let resident = stack.api.process()?.resident()?;
    println!("resident memory of calendar-api: {} MiB", resident >> 20);
    drop(node);
    stack.end().await
}

/// The user whose rows are copied.
async fn template(stack: &Stack) -> Result<()> {
    let calendars = CALENDARS.map(|id| json!({"id": id, "summary": id, "primary": id == CALENDARS[0]}));
    add_account(&stack.google, "bench-1", &json!(calendars))?;
    let account = account("bench-1");
    for calendar in CALENDARS {
        for n in 0..SINGLE_EVENTS {
            let mut event = timed(
                &format!("Appointment {n}"),
                TimeDelta::hours(7 + 11 * n),
                "Europe/Zurich",
            );
            event["location"] = json!("Bahnhofstrasse 1, Zürich");
            stack.google.insert(&account, calendar, event)?;
        }
        for n in 0..SERIES {
            let event = recurring(n, 2, &format!("RRULE:FREQ=WEEKLY;COUNT={INSTANCES_OF_SERIES}"));
            stack.google.insert(&account, calendar, event)?;
        }
    }
    stack.connect_and_settle("bench-1").await?;
    let count = "select count(*) from occurrences where user_id = 'bench-1'";
    let instances: i64 = sqlx::query_scalar(count).fetch_one(&stack.database.pool).await?;
    ensure!(instances == 1_000, "{instances} instances were imported");
    Ok(())
}

/// A user with a calendar of 30 meetings.
async fn meetings(stack: &Stack) -> Result<Api> {
    let account = account("meetings");
    let calendar = json!({"id": account, "summary": "Meetings", "primary": true});
    add_account(&stack.google, "meetings", &json!([calendar]))?;
    for n in 0..30 {
        let event = recurring(n, 8, "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR");
        stack.google.insert(&account, "primary", event)?;
    }
    stack.connect_and_settle("meetings").await
}

fn recurring(n: i64, guests: u32, rule: &str) -> Value {
    let mut event = timed(
        &format!("Meeting {n}"),
        TimeDelta::hours(2 + n % 8),
        "Europe/Zurich",
    );
    let guest = |guest: u32| json!({"email": format!("guest-{guest}@example.org"), "displayName": format!("Guest {guest}")});
    event["attendees"] = (0..guests).map(guest).collect();
    event["description"] = json!("Agenda: results, next steps, open questions and decisions. ".repeat(4));
    event["recurrence"] = json!([rule]);
    event
}

/// Copies the template's rows to `users` users.
async fn copy(pool: &PgPool, users: u64) -> Result<()> {
    for first in (2..=users).step_by(usize::try_from(CHUNK)?) {
        let last = (first + CHUNK - 1).min(users);
        eprintln!("copying users {first} to {last} of {users}");
        for (table, rows, ids) in COPIED {
            let ids = ids
                .iter()
                .map(|id| format!(", '{id}', md5(t.{id}::text || n)::uuid"));
            let statement = format!(
                "insert into {table} select c.* from {table} t, generate_series({first}, {last}) n,
                     jsonb_populate_record(t, jsonb_build_object('user_id', 'bench-' || n{})) c
                 where t.{rows}",
                ids.collect::<String>()
            );
            pool.execute(AssertSqlSafe(statement)).await?;
        }
    }
    pool.execute("vacuum analyze").await?;
    pool.execute("checkpoint").await?;
    Ok(())
}

fn start_bare() -> Result<u16> {
    let server = HttpServer::new(|| App::new().default_service(web::to(HttpResponse::Ok)))
        .workers(std::thread::available_parallelism().map_or(2, usize::from))
        .disable_signals()
        .bind("127.0.0.1:0")?;
    let port = server.addrs()[0].port();
    tokio::spawn(server.run());
    Ok(port)
}

struct Node {
    port: u16,
    _process: Child,
}

impl Node {
    async fn start(database_url: &str) -> Result<Self> {
        let mut process = Command::new("node")
            .arg(workspace_root().join("web/reference/server.mjs"))
            .env("DATABASE_URL", database_url)
            .env("AUTH_SECRET", rpc::AUTH_SECRET)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run node")?;
        let output = process.stdout.take().context("node has an output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let port = line.context("the program in web/reference has ended")?.parse()?;
        Ok(Self {
            port,
            _process: process,
        })
    }
}

struct Bench {
    bare: u16,
    node: u16,
    api: u16,
    jwts: Arc<[String]>,
}

impl Bench {
    async fn run(&self) -> Result<()> {
        let users = self.jwts.len();
        println!(
            "{users} users, {CONNECTIONS} connections, medians of {ROUNDS} rounds, generator on the same machine\n"
        );
        let once = self.read(self.api, UPCOMING, users as u64).await?;
        let names = [
            "bare actix handler",
            "Node.js: getUpcomingEvents",
            "getUpcomingEvents",
        ];
        let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (port, outcomes) in [self.bare, self.node, self.api].into_iter().zip(&mut rounds) {
                outcomes.push(self.read(port, UPCOMING, READS).await?);
            }
        }
        let [bare, node, _] = rounds.each_ref().map(|outcomes| throughput(outcomes));
        println!(
            "{:34} {:>9} {:>8} {:>8} {:>8} {:>8}",
            "", "reads/s", "÷ bare", "÷ Node", "p50 ms", "p99 ms"
        );
        let print = |name: &str, outcomes: &[LoadOutcome]| {
            let rate = throughput(outcomes);
            let ms = |quantile| {
                let times: Vec<f64> = outcomes
                    .iter()
                    .map(|outcome| outcome.served_quantile(quantile).as_secs_f64() * 1e3)
                    .collect();
                median(&times)
            };
            let (p50, p99) = (ms(0.5), ms(0.99));
            println!(
                "{name:34} {rate:9.0} {:8.3} {:8.2} {p50:8.2} {p99:8.2}",
                rate / bare,
                rate / node
            );
        };
        for (name, outcomes) in names.iter().zip(&rounds) {
            print(name, outcomes);
        }
        print("getUpcomingEvents, first read", &[once]);
        for (name, path) in PROCEDURES {
            let once = self.read(self.api, path, users as u64).await?;
            let mut outcomes = Vec::new();
            for _ in 0..ROUNDS {
                outcomes.push(self.read(self.api, path, READS / 4).await?);
            }
            print(name, &outcomes);
            print(&format!("{name}, first read"), &[once]);
        }
        Ok(())
    }

    async fn read(&self, port: u16, path: &'static str, reads: u64) -> Result<LoadOutcome> {
        let load = Load {
            amount: Amount::Requests(reads),
            rate: None,
            connections: CONNECTIONS,
        };
        let jwts = Arc::clone(&self.jwts);
        let of = move |number: u64| jwts.get(usize::try_from(number).ok()? % jwts.len()).cloned();
        let outcome = load
            .run(port, move |number| query(path, of(number).as_deref()))
            .await?;
        outcome.ensure_only(&[200])?;
        Ok(outcome)
    }
}

fn throughput(outcomes: &[LoadOutcome]) -> f64 {
    let rates: Vec<f64> = outcomes.iter().map(LoadOutcome::throughput).collect();
    median(&rates)
}

/// The size of a user's snapshot as it is sent.
async fn bytes(api: &Api, encoding: &str) -> Result<usize> {
    let response = api
        .request("realtime.getState", &json!({"live": false}))
        .header("accept-encoding", encoding)
        .send()
        .await?
        .error_for_status()?;
    Ok(response.bytes().await?.len())
}
