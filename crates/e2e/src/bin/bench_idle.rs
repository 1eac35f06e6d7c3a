//! The cost of an installation while nothing happens: processor time of Postgres and of one copy of each service, with a million
//! watched calendars of which none is due.
//!
//! All of them are healthy: pulled, expanded, and with a channel that Google has just used. Each service is scraped and asked for
//! its readiness as in production. Postgres must be on this machine and serve nothing else, as with `cargo xtask bench`.
//!
//! `BENCH_CALENDARS`: how many calendars, 1,000,000 by default.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::process::{parent, processor_time};
use e2e::service::Service;
use e2e::{Options, Stack};
use sqlx::{Executor, PgPool};

const CALENDARS: i64 = 1_000_000;
const CALENDARS_PER_ACCOUNT: i64 = 4;
const ADDRESS: &str = "https://calwire.example.com/api/calendar/webhook";

/// After the start, until caches are filled and statements are planned.
const SETTLE: Duration = Duration::from_secs(15);
const MEASURE: Duration = Duration::from_mins(1);
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
/// As the containers' health checks.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// Of one core.
const REACH_PERCENT: f64 = 2.0;
const REACH_SCRAPE: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> Result<()> {
    let calendars = match std::env::var("BENCH_CALENDARS") {
        Ok(calendars) => calendars.parse().context("BENCH_CALENDARS is not a number")?,
        Err(_) => CALENDARS,
    };
    let mut stack = Stack::with(Options::default().set("WEBHOOK_URL", ADDRESS)).await?;
    for service in services(&mut stack) {
        service.kill().await;
    }
    let accounts = calendars / CALENDARS_PER_ACCOUNT;
    eprintln!("inserting {calendars} calendars of {accounts} accounts");
    seed(&stack.database.pool, accounts).await?;
    for service in services(&mut stack) {
        service.start_again().await?;
    }
    eprintln!(
        "waiting {} s, then measuring {} s",
        SETTLE.as_secs(),
        MEASURE.as_secs()
    );
    idle(&mut stack, SETTLE).await?;
    let outcome = measure(&mut stack).await?;
    ensure_idle(&stack.database.pool).await?;
    println!(
        "{calendars} watched calendars of {accounts} accounts, nothing due, {} s, one copy of each service\n",
        MEASURE.as_secs()
    );
    outcome.print();
    stack.end().await
}

fn services(stack: &mut Stack) -> impl Iterator<Item = &mut Service> {
    [&mut stack.api]
        .into_iter()
        .chain(&mut stack.ingests)
        .chain(&mut stack.renewers)
}

struct Outcome {
    /// Processor time by process.
    used: Vec<(String, Duration)>,
    longest_scrape: Duration,
}

async fn measure(stack: &mut Stack) -> Result<Outcome> {
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&stack.database.pool)
        .await?;
    let postgres = parent(backend.unsigned_abs()).context("Postgres is not on this machine")?;
    let before = times(stack, postgres)?;
    let longest_scrape = idle(stack, MEASURE).await?;
    let used = times(stack, postgres)?
        .into_iter()
        .zip(before)
        .map(|((name, after), (_, before))| (name, after.saturating_sub(before)))
        .collect();
    Ok(Outcome { used, longest_scrape })
}

/// The processor time of each so far.
fn times(stack: &mut Stack, postgres: u32) -> Result<Vec<(String, Duration)>> {
    let mut times = vec![("Postgres".to_owned(), processor_time(postgres)?)];
    for service in services(stack) {
        let process = service.process()?;
        times.push((process.name.clone(), process.processor_time()?));
    }
    Ok(times)
}

/// Scrapes and probes the services for this long. Returns how long the longest scrape of one took.
async fn idle(stack: &mut Stack, duration: Duration) -> Result<Duration> {
    let (started, mut longest) = (Instant::now(), Duration::ZERO);
    let mut next_scrape = Duration::ZERO;
    while started.elapsed() < duration {
        for service in services(stack) {
            if started.elapsed() >= next_scrape {
                let began = Instant::now();
                let scrape = service.scrape().await?;
                longest = longest.max(began.elapsed());
                let overview = scrape.sum("calwire_overview_success", &[]);
                ensure!(overview != Some(0.0), "the overview could not be read");
            }
            let ready = reqwest::get(format!("{}/readyz", service.url())).await?;
            ensure!(ready.status().is_success(), "not ready: {}", ready.text().await?);
        }
        if started.elapsed() >= next_scrape {
            next_scrape += SCRAPE_EVERY;
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
    Ok(longest)
}

impl Outcome {
    fn print(&self) {
        println!("{:36} {:>9}", "", "% of core");
        let percent = |used: Duration| 100.0 * used.div_duration_f64(MEASURE);
        for (name, used) in &self.used {
            println!("{name:36} {:9.2}", percent(*used));
        }
        let all = percent(self.used.iter().map(|(_, used)| *used).sum());
        let is_met = |met| if met { "met" } else { "missed" };
        println!(
            "{:36} {all:9.2}   reach {REACH_PERCENT:.2}, {}",
            "in all",
            is_met(all <= REACH_PERCENT)
        );
        println!(
            "{:36} {:9.2}   reach {}, {}",
            "longest scrape of metrics, ms",
            self.longest_scrape.as_secs_f64() * 1e3,
            REACH_SCRAPE.as_millis(),
            is_met(self.longest_scrape <= REACH_SCRAPE)
        );
    }
}

/// Nothing was due, so nothing was done: otherwise the measurement is of something else.
async fn ensure_idle(pool: &PgPool) -> Result<()> {
    let (worked, channels): (i64, i64) = sqlx::query_as(
        "select (select count(*) from sync_state where dirty_seq > 1 or lease_token is not null),
                (select count(*) from watches where state <> 'live')",
    )
    .fetch_one(pool)
    .await?;
    ensure!(
        worked == 0 && channels == 0,
        "{worked} resources and {channels} channels were not idle"
    );
    Ok(())
}

/// Accounts whose calendars and lists of calendars are all current for some days.
async fn seed(pool: &PgPool, accounts: i64) -> Result<()> {
    for sql in [
        "insert into connections (id, user_id, google_sub, email, scopes, refresh_token, access_token, access_expires_at,
                                  created_at, updated_at)
         select gen_random_uuid(), 'bench-' || n, n, n || '@example.com', '{}',
                '\\x0100000001'::bytea || decode(repeat('00', 140), 'hex'), '\\x0100000001'::bytea || decode(repeat('00', 250), 'hex'),
                now(), now(), now()
         from generate_series(1, $1) n where $2 <> '' and $3 > 0",
        "insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, is_primary, selected,
                                created_at, updated_at)
         select gen_random_uuid(), id, user_id, n || email, 'Calendar ' || n, 'Europe/Zurich', 'owner', n = 1, true, now(), now()
         from connections, generate_series(1, $3) n where $1 > 0 and $2 <> ''",
        "insert into sync_state (resource_id, kind, connection_id, user_id, dirty_seq, synced_seq, sync_token, generation,
                                 poll_at, last_push_at, last_pull_at, horizon_until)
         select r.id, r.kind, r.connection_id, r.user_id, 1, 1, md5(r.id::text), r.generation,
                now() + interval '1 day' + random() * interval '5 days', now(), now(), r.horizon_until
         from (select id, 'events' as kind, connection_id, user_id, 1 as generation,
                      now() + interval '13 months' as horizon_until from calendars
               union all
               select id, 'calendar_list', id, user_id, 0, null from connections) r
         where $1 > 0 and $2 <> '' and $3 > 0",
        "insert into watches (channel_id, resource_id, connection_id, token_sha256, google_resource_id, expires_at, renew_at,
                              state, address, last_message_at, created_at)
         select gen_random_uuid()::text, resource_id, connection_id, sha256(resource_id::text::bytea), md5(resource_id::text),
                made.at + interval '7 days', made.at + interval '5.5 days', 'live', $2, now(), made.at
         from sync_state, lateral (select now() - random() * interval '5 days' as at where resource_id is not null) made
         where $1 > 0 and $3 > 0",
        "insert into user_stream (user_id, epoch, seq)
         select user_id, gen_random_uuid(), 1 from connections where $1 > 0 and $2 <> '' and $3 > 0",
        "insert into sync_rounds (calendar_id, number, user_id, cause, asked_at, started_at, committed_at, outcome, pages,
                                  changed, deleted, last_at)
         select id, 1, user_id, 'push', now(), now(), now(), 'ok', 1, 1, 0, now()
         from calendars where $1 > 0 and $2 <> '' and $3 > 0",
    ] {
        let query = sqlx::query(sql)
            .bind(accounts)
            .bind(ADDRESS)
            .bind(CALENDARS_PER_ACCOUNT);
        query.execute(pool).await?;
    }
    // Vacuum's and the checkpointer's work of the insertion is not part of the measurement.
    pool.execute("vacuum analyze").await?;
    pool.execute("checkpoint").await?;
    Ok(())
}
