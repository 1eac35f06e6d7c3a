//! The whole service, from its configuration to its stop, against the emulator and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use google::scopes;
use google_emulator::{Emulator, Seed};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use watch_renewer::{Application, Config};

const ALICE: &str = "alice@example.com";
const KEYS: &str = "1:/v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4N8=";

async fn emulator() -> Emulator {
    let seed = r#"{"users": [{"email": "alice@example.com", "name": "Alice", "calendars": [
        {"id": "alice@example.com", "summary": "Alice", "primary": true}]}]}"#;
    Emulator::start(google_emulator::Config {
        seed: Seed::from_json("seed.json", seed).unwrap(),
        allow_http_callbacks: true,
        ..google_emulator::Config::default()
    })
    .await
    .unwrap()
}

fn config(pool: &PgPool, google: &Emulator, more: &[(&str, &str)]) -> Config {
    let options = pool.connect_options();
    let database = sqlx::ConnectOptions::to_url_lossy(&*options).to_string();
    let mut vars = vec![
        ("DATABASE_URL", database),
        ("LISTEN_ADDR", "127.0.0.1:0".into()),
        ("GOOGLE_CLIENT_ID", google.client().id.clone()),
        ("GOOGLE_CLIENT_SECRET", google.client().secret.clone()),
        ("GOOGLE_BASE_URL", google.base_url().to_owned()),
        ("TOKEN_KEYS", KEYS.into()),
    ];
    vars.extend(more.iter().map(|&(name, value)| (name, value.to_owned())));
    common::config::from_vars(vars.into_iter().map(|(name, value)| (name.to_owned(), value))).unwrap()
}

/// Connects an account like the OAuth callback, in another process than the renewer.
async fn connect(pool: &PgPool, google: &Emulator, config: &Config) {
    let ctx = sync::Context::new(
        pool.clone(),
        google::Google::new(config.sync.google()).unwrap(),
        common::clock::Clock::system(),
        KEYS.parse().unwrap(),
        config.sync.settings(),
    );
    let tokens = google.mint(ALICE, &scopes::REQUESTED).unwrap();
    let grant = google::Grant {
        access_token: tokens.access_token.into(),
        expires_in: Duration::from_hours(1),
        refresh_token: Some(tokens.refresh_token.into()),
        scopes: scopes::REQUESTED.map(str::to_owned).to_vec(),
    };
    let account = google::UserInfo {
        sub: "1".into(),
        email: ALICE.into(),
    };
    let user = common::ids::UserId::parse("alice").unwrap();
    sync::connections::connect(&ctx, &user, &grant, &account)
        .await
        .unwrap();
    // As webhook-ingest does in its process.
    let puller = sync::pull::Puller::new(ctx.clone(), 8);
    while puller.run_once().await.unwrap() == common::worker::Pass::Worked {
        puller.drain().await;
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "waited in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_renewer_watches_a_connected_account_and_stops(pool: PgPool) {
    let google = emulator().await;
    let settings = [("PUBLIC_URL", "http://localhost:9")];
    let application = Application::build(config(&pool, &google, &settings))
        .await
        .unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], application.port()));
    let stop = CancellationToken::new();
    let running = tokio::spawn(application.run_until_stopped(stop.clone()));
    connect(&pool, &google, &config(&pool, &google, &settings)).await;
    until("two channels", || google.channels().len() == 2).await;
    let address = google.channels()[0]["address"].clone();
    assert_eq!(address, "http://localhost:9/api/calendar/webhook");
    common::http::probe(addr).await.unwrap();

    let stopped_at = Instant::now();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(stopped_at.elapsed() < Duration::from_secs(10));
    assert!(common::http::probe(addr).await.is_err());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_public_url_the_renewer_polls(pool: PgPool) {
    let google = emulator().await;
    let application = Application::build(config(&pool, &google, &[])).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(application.run_until_stopped(stop.clone()));
    connect(&pool, &google, &config(&pool, &google, &[])).await;
    // However long the other one takes.
    let planned = "select count(*) from sync_state
                   where poll_at between last_pull_at + interval '40 s' and last_pull_at + interval '80 s'";
    let started = Instant::now();
    while sqlx::query_scalar::<_, i64>(planned)
        .fetch_one(&pool)
        .await
        .unwrap()
        < 2
    {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "both resources are polled about every minute"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(
        google.requests_to("events.watch").len() + google.requests_to("calendarList.watch").len(),
        0
    );
}

/// A series by the rules of another tz database: its starts are wrong.
async fn expanded_by(pool: &PgPool, google: &Emulator, version: &str) {
    let at = |hours| {
        let at = common::clock::Clock::system().now() + chrono::TimeDelta::hours(hours);
        serde_json::json!({"dateTime": at.to_rfc3339(), "timeZone": "America/Vancouver"})
    };
    let weekly = serde_json::json!({
        "summary": "Weekly",
        "start": at(24),
        "end": at(25),
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    });
    google.insert(ALICE, ALICE, weekly).unwrap();
    connect(pool, google, &config(pool, google, &[])).await;
    for sql in [
        "insert into zone_data (version) values ($1) on conflict (only_row) do update set version = $1",
        "update instances set starts = array(select start - interval '10 years' from unnest(starts) as start) where $1 <> ''",
    ] {
        let changed = sqlx::query(sql).bind(version).execute(pool).await.unwrap();
        assert!(changed.rows_affected() > 0, "{sql}");
    }
}

/// Instances that other rules placed.
async fn wrong_instances(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from instances, unnest(starts) as start where start < '2021-01-01'")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_start_with_newer_zone_rules_expands_series_again(pool: PgPool) {
    let google = emulator().await;
    expanded_by(&pool, &google, "2020a").await;
    assert_eq!(wrong_instances(&pool).await, 4);
    let application = Application::build(config(&pool, &google, &[])).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(application.run_until_stopped(stop.clone()));
    let started = Instant::now();
    while wrong_instances(&pool).await > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "not expanded again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_start_with_older_zone_rules_leaves_series_alone(pool: PgPool) {
    let google = emulator().await;
    expanded_by(&pool, &google, "2999a").await;
    drop(Application::build(config(&pool, &google, &[])).await.unwrap());
    let due: i64 = sqlx::query_scalar(
        "select count(*) from sync_state where kind = 'events' and generation > 0 and horizon_until is null",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(due, 0);
    let version: String = sqlx::query_scalar("select version from zone_data")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(version, "2999a");
}

/// A failover: sessions that were opened during it stay read-only, although the server at the address no longer is.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_renewer_watches_once_the_database_is_writable_again(pool: PgPool) {
    let google = emulator().await;
    let settings = [("PUBLIC_URL", "http://localhost:9")];
    connect(&pool, &google, &config(&pool, &google, &settings)).await;
    let application = Application::build(config(&pool, &google, &settings))
        .await
        .unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], application.port()));
    let database = pool.connect_options().get_database().unwrap().to_owned();
    // A session that stays writable.
    let mut admin = pool.acquire().await.unwrap();
    for sql in [
        &*format!("alter database {database:?} set default_transaction_read_only = on"),
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    ] {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::query(sql).execute(&mut *admin).await.unwrap();
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(application.run_until_stopped(stop.clone()));
    let started = Instant::now();
    let is_read_only = |answer: Result<(), String>| answer.is_err_and(|error| error.contains("read-only"));
    while !is_read_only(common::http::probe(addr).await) {
        assert!(started.elapsed() < Duration::from_secs(20), "it is ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(google.channels().len(), 0);

    let reset = format!("alter database {database:?} reset default_transaction_read_only");
    let reset = sqlx::query(sqlx::AssertSqlSafe(reset));
    reset.execute(&mut *admin).await.unwrap();
    until("two channels", || google.channels().len() == 2).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn start_up_errors_are_one_line(pool: PgPool) {
    let google = emulator().await;
    let refusal = async |config: Config| match Application::build(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    };
    drop(Application::build(config(&pool, &google, &[])).await.unwrap());

    let other_key = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
    let error = refusal(config(&pool, &google, &[("TOKEN_KEYS", other_key)])).await;
    assert!(error.starts_with("TOKEN_KEYS: key 1 is not"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let error = refusal(config(&pool, &google, &[("LISTEN_ADDR", &addr)])).await;
    assert!(
        error.starts_with(&format!("LISTEN_ADDR: cannot listen on {addr}")),
        "{error}"
    );

    sqlx::query("delete from _sqlx_migrations")
        .execute(&pool)
        .await
        .unwrap();
    let error = refusal(config(&pool, &google, &[])).await;
    assert!(error.contains("run `calendar-api migrate`"), "{error}");
    assert_eq!(error.lines().count(), 1);
}
