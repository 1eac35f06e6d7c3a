//! The service over HTTP, against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod limits;

use std::time::{Duration, Instant};

use common::config;
use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webhook_ingest::{Application, Config};

const CHANNEL: &str = "0a0a0a0a-6a47-11e2-bcfd-0800200c9a66";
const TOKEN: &str = "token-of-the-channel";
const GOOGLE_RESOURCE: &str = "ret08u3rv24htgh289g";
/// No server listens there: accepting a push needs neither Google nor a broker.
const NOWHERE: &str = "http://127.0.0.1:9/";

struct Service {
    port: u16,
    http: reqwest::Client,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Service {
    async fn start(pool: &PgPool, settings: &[(&str, &str)]) -> Self {
        let options = pool.connect_options();
        let database_url = format!(
            "postgres://{}@{}:{}/{}",
            options.get_username(),
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap()
        );
        let vars = [
            ("DATABASE_URL", database_url.as_str()),
            ("DATABASE_MAX_CONNECTIONS", "8"),
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("GOOGLE_CLIENT_ID", "client"),
            ("GOOGLE_CLIENT_SECRET", "secret"),
            ("GOOGLE_BASE_URL", NOWHERE),
            ("CENTRIFUGO_API_URL", NOWHERE),
            ("CENTRIFUGO_API_KEY", "0123456789abcdef0123456789abcdef"),
            ("TOKEN_KEYS", "1:Hp/cbPWn3PIYU6i9Y6puGQInAFk6omnLvTAysAUXdg8="),
        ];
        let vars = vars
            .iter()
            .chain(settings)
            .map(|&(name, value)| (name.into(), value.into()));
        let config: Config = config::from_vars(vars).unwrap();
        let application = Application::build(config).await.unwrap();
        let port = application.port();
        let stop = CancellationToken::new();
        let running = tokio::spawn(application.run_until_stopped(stop.clone()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            port,
            http,
            stop,
            running,
        }
    }

    fn push(&self, channel: &str, token: &str, resource: &str) -> reqwest::RequestBuilder {
        self.http
            .post(format!("http://127.0.0.1:{}/api/calendar/webhook", self.port))
            .header("X-Goog-Channel-ID", channel)
            .header("X-Goog-Channel-Token", token)
            .header("X-Goog-Resource-ID", resource)
            .header(
                "X-Goog-Resource-URI",
                "https://www.googleapis.com/calendar/v3/calendars/x/events",
            )
            .header("X-Goog-Resource-State", "exists")
            .header("X-Goog-Message-Number", "2")
    }

    fn genuine(&self) -> reqwest::RequestBuilder {
        self.push(CHANNEL, TOKEN, GOOGLE_RESOURCE)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// A calendar with a live channel.
async fn calendar(pool: &PgPool, channel: &str, google_resource: Option<&str>) -> Uuid {
    let (connection, resource) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query(
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         values ($1, 'alice', $1::text, '', '{}', now(), now())",
    )
    .bind(connection)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into sync_state (resource_id, kind, connection_id, user_id) values ($1, 'events', $2, 'alice')",
    )
    .bind(resource)
    .bind(connection)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into watches (channel_id, resource_id, connection_id, token_sha256, google_resource_id, state,
                              address, created_at)
         values ($1, $2, $3, $4, $5, case when $5 is null then 'pending' else 'live' end, 'https://example.com', now())",
    )
    .bind(channel)
    .bind(resource)
    .bind(connection)
    .bind(Sha256::digest(TOKEN).as_slice())
    .bind(google_resource)
    .execute(pool)
    .await
    .unwrap();
    resource
}

async fn dirty_seq(pool: &PgPool, resource: Uuid) -> i64 {
    sqlx::query_scalar("select dirty_seq from sync_state where resource_id = $1")
        .bind(resource)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Google does not retry a 400, so a header that nothing needs must not be required.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_without_unused_headers_is_acknowledged(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;
    let url = format!("http://127.0.0.1:{}/api/calendar/webhook", service.port);
    let bare = service
        .http
        .post(url)
        .header("X-Goog-Channel-ID", CHANNEL)
        .header("X-Goog-Channel-Token", TOKEN)
        .header("X-Goog-Resource-ID", GOOGLE_RESOURCE);
    assert_eq!(bare.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(dirty_seq(&pool, resource).await, 1);
    service.stop().await;
}

/// Blocks every write to the queue until it is dropped.
async fn hold_queue(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("lock table sync_state in access exclusive mode")
        .execute(&mut *holder)
        .await
        .unwrap();
    holder
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pushes_are_accepted_or_rejected_for_a_reason(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;

    let taken = service.genuine().send().await.unwrap();
    assert_eq!(taken.status(), StatusCode::OK);
    assert_eq!(taken.bytes().await.unwrap(), "");
    assert_eq!(dirty_seq(&pool, resource).await, 1);

    let answer = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        format!("{status} {}", response.text().await.unwrap())
    };
    let unknown = service.push("1b1b1b1b-6a47-11e2-bcfd-0800200c9a66", TOKEN, GOOGLE_RESOURCE);
    insta::assert_snapshot!(answer(unknown).await, @r#"404 {"error":"unknown_channel","message":"unknown channel"}"#);
    let token = service.push(CHANNEL, "guess", GOOGLE_RESOURCE);
    insta::assert_snapshot!(answer(token).await, @r#"403 {"error":"wrong_token","message":"the token is not the channel's"}"#);
    let elsewhere = service.push(CHANNEL, TOKEN, "another");
    insta::assert_snapshot!(answer(elsewhere).await, @r#"403 {"error":"wrong_resource","message":"the resource is not the channel's"}"#);
    let url = format!("http://127.0.0.1:{}/api/calendar/webhook", service.port);
    let bare = service.http.post(&url);
    insta::assert_snapshot!(answer(bare).await, @r#"400 {"error":"not_a_push","message":"the header x-goog-channel-id is missing"}"#);
    let body = service.genuine().body("{}");
    insta::assert_snapshot!(answer(body).await, @r#"413 {"error":"body_too_large","message":"request body too large: a push has none"}"#);
    let chunks = futures_util::stream::iter((0..1_000).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1_000])));
    let chunked = service
        .genuine()
        .body(reqwest::Body::wrap_stream(chunks))
        .send()
        .await;
    assert!(chunked.is_err() || chunked.unwrap().status() == StatusCode::PAYLOAD_TOO_LARGE);
    let many = (0..70).fold(service.genuine(), |request, n| {
        request.header(format!("x-{n}"), "y")
    });
    insta::assert_snapshot!(answer(many).await, @r#"431 {"error":"headers_too_large","message":"request headers too large (limit 64 headers, 16384 bytes)"}"#);
    let long = service.genuine().header("x-long", "y".repeat(17_000));
    assert!(answer(long).await.starts_with("431"));
    assert_eq!(
        dirty_seq(&pool, resource).await,
        1,
        "a refused push changes nothing"
    );

    let added = service.genuine().header("X-Goog-Resource-State", "add");
    assert_eq!(added.send().await.unwrap().status(), StatusCode::OK);
    // As Google sends it, and as a proxy may pass it on.
    let empty = service.genuine().header("Content-Length", "0");
    assert_eq!(empty.send().await.unwrap().status(), StatusCode::OK);
    let no_chunks = futures_util::stream::empty::<std::io::Result<Vec<u8>>>();
    let chunked = service.genuine().body(reqwest::Body::wrap_stream(no_chunks));
    assert_eq!(chunked.send().await.unwrap().status(), StatusCode::OK);
    let robots = service
        .http
        .get(format!("http://127.0.0.1:{}/robots.txt", service.port));
    insta::assert_snapshot!(answer(robots).await, @"
    200 User-agent: *
    Allow: /api/calendar/webhook
    Disallow: /
    ");
    let ready = service
        .http
        .get(format!("http://127.0.0.1:{}/readyz", service.port));
    assert_eq!(ready.send().await.unwrap().status(), StatusCode::OK);
    common::http::probe(format!("0.0.0.0:{}", service.port).parse().unwrap())
        .await
        .unwrap();
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_before_the_watch_response_sets_the_resource(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, None).await;
    let service = Service::start(&pool, &[]).await;
    let forged = service.push(CHANNEL, "guess", "forged").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let sync = service
        .genuine()
        .header("X-Goog-Channel-Expiration", "Tue, 19 Nov 2030 01:13:52 GMT");
    assert_eq!(sync.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(dirty_seq(&pool, resource).await, 1);
    let row: (Option<String>, String) = sqlx::query_as(
        "select google_resource_id, to_char(expires_at at time zone 'utc', 'YYYY-MM-DD HH24:MI') from watches",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(row, (Some(GOOGLE_RESOURCE.into()), "2030-11-19 01:13".into()));
    let other = service.push(CHANNEL, TOKEN, "another").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::FORBIDDEN);
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_is_answered_after_its_commit_or_503(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;

    let holder = hold_queue(&pool).await;
    let push = tokio::spawn(service.genuine().send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!push.is_finished(), "answered before the commit");
    holder.rollback().await.unwrap();
    assert_eq!(push.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(dirty_seq(&pool, resource).await, 1);

    let holder = hold_queue(&pool).await;
    let started = Instant::now();
    let late = service.genuine().send().await.unwrap();
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        started.elapsed() < Duration::from_millis(3_200),
        "{:?}",
        started.elapsed()
    );
    let body: Value = late.json().await.unwrap();
    assert_eq!(body["error"], "unavailable");
    holder.rollback().await.unwrap();
    wait_until_taken(&service).await;
    service.stop().await;
}

async fn wait_until_taken(service: &Service) {
    for _ in 0..100 {
        if service.genuine().send().await.unwrap().status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("pushes are still refused after 5 s");
}

/// Runs `sql` on the server's own database.
async fn administer(pool: &PgPool, sql: String) {
    let options = (*pool.connect_options()).clone().database("postgres");
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pushes_fail_fast_without_database_and_recover(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    let database = pool.connect_options().get_database().unwrap().to_owned();
    let terminate =
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'");

    // A restart between two pushes has no effect.
    administer(&pool, terminate.clone()).await;
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);

    administer(
        &pool,
        format!("alter database \"{database}\" allow_connections false"),
    )
    .await;
    administer(&pool, terminate).await;
    for _ in 0..5 {
        let started = Instant::now();
        let refused = service.genuine().send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    administer(
        &pool,
        format!("alter database \"{database}\" allow_connections true"),
    )
    .await;
    wait_until_taken(&service).await;
    service.stop().await;
}

/// A failover: sessions that were opened during it stay read-only, although the server at the address no longer is.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pushes_are_503_while_the_database_is_read_only(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    let ready = async || {
        let url = format!("http://127.0.0.1:{}/readyz", service.port);
        service.http.get(url).send().await.unwrap().status().as_u16()
    };
    let database = pool.connect_options().get_database().unwrap().to_owned();
    let alter = async |change: &str| {
        administer(&pool, format!("alter database \"{database}\" {change}")).await;
    };
    alter("set default_transaction_read_only = on").await;
    administer(
        &pool,
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"),
    )
    .await;
    for attempt in 0..3 {
        let refused = service.genuine().send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{attempt}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"], "unavailable");
    }
    assert_eq!(ready().await, 503);
    alter("reset default_transaction_read_only").await;
    // The pause between two attempts to connect.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(dirty_seq(&pool, resource).await, 2);
    // Readiness is that of the pool, whose connections are tested each second.
    let is_ready = async {
        while ready().await != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_ready)
        .await
        .unwrap();
    service.stop().await;
}

#[sqlx::test]
async fn an_unknown_schema_is_rejected_at_start(pool: PgPool) {
    let options = pool.connect_options();
    let url = format!(
        "postgres://{}@{}:{}/{}",
        options.get_username(),
        options.get_host(),
        options.get_port(),
        "postgres"
    );
    let vars = [
        ("DATABASE_URL", url.as_str()),
        ("LISTEN_ADDR", "127.0.0.1:0"),
        ("GOOGLE_CLIENT_ID", "client"),
        ("GOOGLE_CLIENT_SECRET", "secret"),
        ("CENTRIFUGO_API_KEY", "0123456789abcdef0123456789abcdef"),
        ("TOKEN_KEYS", "1:Hp/cbPWn3PIYU6i9Y6puGQInAFk6omnLvTAysAUXdg8="),
    ];
    let config = config::from_vars(vars.map(|(name, value)| (name.into(), value.into()))).unwrap();
    let error = Application::build(config).await.err().unwrap();
    insta::assert_snapshot!(error, @"the database has not been migrated to this version: run `calendar-api migrate`");
}
