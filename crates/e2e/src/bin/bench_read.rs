//! Reads beside two references in the same run: a bare actix handler, and a Node.js program with Hono and pg that runs two
//! statements on the same tables (`web/reference`).
//!
//! One user is imported from the emulator, with 1,000 instances in four calendars, a third of them in series; the others are
//! copies of their rows. Nothing else runs during the measurement.
//!
//! Cold: a `calendar-api` that has just started reads each user once. Warm: it reads each user again. Postgres and the system
//! have cached what they could in either case.
//!
//! `BENCH_USERS`: how many users, 10,000 by default.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use common::clock::Clock;
use e2e::broker::workspace_root;
use e2e::google::{account, add_account, timed};
use e2e::load::{Amount, Load, LoadOutcome, query_accepting};
use e2e::measure::median;
use e2e::rpc::{self, Api};
use e2e::service::Service;
use e2e::{Options, Stack, reference, users};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const USERS: u64 = 10_000;
const USER_PREFIX: &str = "bench-";
/// Longer than a run.
const JWT_SECONDS: i64 = 24 * 60 * 60;
const CONNECTIONS: usize = 64;
/// In each of them every user is read once.
const ROUNDS: usize = 3;

const CALENDARS: [&str; 4] = ["bench-1@example.com", "team", "family", "sports"];
const SINGLE_EVENTS: i64 = 166;
const SERIES: i64 = 2;
const INSTANCES_OF_SERIES: i64 = 42;

/// A query as the load generator sends it.
#[derive(Clone, Copy)]
struct Read {
    name: &'static str,
    path: &'static str,
    /// The `Accept-Encoding`.
    accept: Option<&'static str>,
}

const UPCOMING: Read = Read {
    name: "getUpcomingEvents",
    path: "calendar.google.getUpcomingEvents?input=%7B%22days%22%3A7%2C%22maxResults%22%3A20%7D",
    accept: None,
};
const STATE: Read = Read {
    name: "getState",
    path: "realtime.getState?input=%7B%22live%22%3Afalse%7D",
    accept: None,
};
/// Those without a reference.
const READS: [Read; 4] = [
    STATE,
    Read {
        name: "getState, zstd accepted",
        accept: Some("zstd"),
        ..STATE
    },
    Read {
        name: "listCalendars",
        path: "calendar.google.listCalendars",
        accept: None,
    },
    Read {
        name: "status",
        path: "calendar.google.status",
        accept: None,
    },
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
        ("1,000 instances", template(&stack).await?),
    ];
    for ingest in &mut stack.ingests {
        ingest.kill().await;
    }
    users::copy(&stack.database.pool, USER_PREFIX, users).await?;
    ensure_instances(&stack.as_user(&format!("{USER_PREFIX}{users}"))?).await?;

    let node = Node::start(&stack.database.url).await?;
    let jwts = (1..=users).map(|user| rpc::jwt_for(&format!("{USER_PREFIX}{user}"), JWT_SECONDS));
    let bench = Bench {
        bare: reference::start_bare()?,
        node: node.port,
        jwts: jwts.collect::<Result<_>>()?,
    };
    println!("{users} users, {} of database", size(&stack).await?);
    bench.run(&mut stack.api).await?;
    drop(node);

    print_snapshots(&snapshots).await?;
    stack.end().await
}

async fn size(stack: &Stack) -> Result<String> {
    let size = "select pg_size_pretty(pg_database_size(current_database()))";
    Ok(sqlx::query_scalar(size).fetch_one(&stack.database.pool).await?)
}

/// The user whose rows are copied.
async fn template(stack: &Stack) -> Result<Api> {
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
    let api = stack.connect_and_settle("bench-1").await?;
    ensure_instances(&api).await?;
    Ok(api)
}

async fn ensure_instances(api: &Api) -> Result<()> {
    let now = Clock::system().now();
    let year = json!({"from": now, "to": now + TimeDelta::days(365)});
    let answer = api.query("calendar.google.getEvents", year).await?;
    let instances = answer["events"].as_array().map_or(0, Vec::len);
    ensure!(instances == 1_000, "{} has {instances} instances", api.user);
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
    jwts: Arc<[String]>,
}

impl Bench {
    async fn run(&self, api: &mut Service) -> Result<()> {
        println!("{CONNECTIONS} connections, medians of {ROUNDS} rounds, generator on the same machine\n");
        let cold = self.cold(api, UPCOMING).await?;
        let ports = [self.bare, self.node, api.port()];
        let mut rounds = ports.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (port, outcomes) in ports.into_iter().zip(&mut rounds) {
                outcomes.push(self.read(port, UPCOMING).await?);
            }
        }
        let [bare, node, warm] = rounds;
        let table = Table {
            bare: throughput(&bare),
            node: throughput(&node),
        };
        Table::print_head();
        table.print("bare actix handler", &bare, None);
        table.print("Node.js: getUpcomingEvents", &node, None);
        table.print_read(UPCOMING, cold, &warm, api)?;
        for read in READS {
            let cold = self.cold(api, read).await?;
            let mut warm = Vec::new();
            for _ in 0..ROUNDS {
                warm.push(self.read(api.port(), read).await?);
            }
            table.print_read(read, cold, &warm, api)?;
        }
        Ok(())
    }

    /// Reads each user once from a new process.
    async fn cold(&self, api: &mut Service, read: Read) -> Result<LoadOutcome> {
        api.kill().await;
        api.start_again().await?;
        self.read(api.port(), read).await
    }

    /// Reads each user once.
    async fn read(&self, port: u16, read: Read) -> Result<LoadOutcome> {
        let load = Load {
            amount: Amount::Requests(self.jwts.len() as u64),
            rate: None,
            connections: CONNECTIONS,
        };
        let jwts = Arc::clone(&self.jwts);
        let jwt = move |number: u64| jwts.get(usize::try_from(number).ok()?).cloned();
        let request = move |number| query_accepting(read.path, jwt(number).as_deref(), read.accept);
        let outcome = load.run(port, request).await?;
        outcome.ensure_only(&[200])?;
        Ok(outcome)
    }
}

/// The throughput of the references, beside which the others are printed.
struct Table {
    bare: f64,
    node: f64,
}

impl Table {
    fn print_head() {
        println!(
            "{:34} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "reads/s", "÷ bare", "÷ Node", "p50 ms", "p99 ms", "MiB"
        );
    }

    fn print_read(&self, read: Read, cold: LoadOutcome, warm: &[LoadOutcome], api: &Service) -> Result<()> {
        let resident = api.process()?.resident()?;
        self.print(&format!("{}, cold", read.name), &[cold], None);
        self.print(&format!("{}, warm", read.name), warm, Some(resident));
        Ok(())
    }

    /// `resident`: the memory of the process afterwards, in bytes.
    fn print(&self, name: &str, outcomes: &[LoadOutcome], resident: Option<u64>) {
        let rate = throughput(outcomes);
        let ms = |quantile| {
            let of = |outcome: &LoadOutcome| outcome.served_quantile(quantile).as_secs_f64() * 1e3;
            median(&outcomes.iter().map(of).collect::<Vec<_>>())
        };
        let (p50, p99) = (ms(0.5), ms(0.99));
        let (by_bare, by_node) = (rate / self.bare, rate / self.node);
        let mib = resident.map_or_else(String::new, |bytes| (bytes >> 20).to_string());
        println!("{name:34} {rate:9.0} {by_bare:8.3} {by_node:8.2} {p50:8.2} {p99:8.2} {mib:>8}");
    }
}

fn throughput(outcomes: &[LoadOutcome]) -> f64 {
    let rates: Vec<f64> = outcomes.iter().map(LoadOutcome::throughput).collect();
    median(&rates)
}

async fn print_snapshots(users: &[(&str, Api)]) -> Result<()> {
    let head = "bytes of a snapshot";
    println!("\n{head:44} {:>9} {:>9} {:>9}", "plain", "gzip", "zstd");
    for (name, api) in users {
        let (plain, gzip) = (bytes(api, "identity").await?, bytes(api, "gzip").await?);
        println!("{name:44} {plain:9} {gzip:9} {:9}", bytes(api, "zstd").await?);
    }
    Ok(())
}

/// The size of a user's snapshot as it is sent.
async fn bytes(api: &Api, encoding: &str) -> Result<usize> {
    let mut api = api.clone();
    // Does not decompress.
    api.http = reqwest::Client::builder().no_proxy().no_gzip().build()?;
    let response = api
        .request("realtime.getState", &json!({"live": false}))
        .header("accept-encoding", encoding)
        .send()
        .await?
        .error_for_status()?;
    Ok(response.bytes().await?.len())
}
