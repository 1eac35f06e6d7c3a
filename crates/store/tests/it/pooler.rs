//! Behind a connection pooler.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use sqlx::{ConnectOptions, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The startup parameters that PgBouncer accepts by default:
/// <https://www.pgbouncer.org/config.html#ignore_startup_parameters>.
const TRACKED: [&str; 8] = [
    "user",
    "database",
    "application_name",
    "client_encoding",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
    "replication",
];

const SYNC: u8 = b'S';
const QUERY: u8 = b'Q';
/// Ends the responses to each of those.
const READY: u8 = b'Z';

/// How a pooler gives sessions of the server to its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One for each client.
    Session,
    /// Another after every statement, so that no setting of the session lasts.
    Statement,
}

async fn read_startup(near: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    loop {
        let length = near.read_u32().await?;
        let mut packet = vec![0; length as usize - 4];
        near.read_exact(&mut packet).await?;
        // SSLRequest: no TLS here.
        if packet[..] == 80_877_103_u32.to_be_bytes() {
            near.write_all(b"N").await?;
        } else {
            return Ok(packet);
        }
    }
}

/// Passes a session on, unless its startup packet has a parameter that PgBouncer refuses.
async fn pool_session(mut near: TcpStream, upstream: String, mode: Mode) -> std::io::Result<()> {
    let packet = read_startup(&mut near).await?;
    let names: Vec<String> = packet[4..]
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).to_lowercase())
        .step_by(2)
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(unknown) = names.iter().find(|name| !TRACKED.contains(&name.as_str())) {
        let error = format!("SFATAL\0C08P01\0Munsupported startup parameter: {unknown}\0\0");
        near.write_u8(b'E').await?;
        near.write_u32(u32::try_from(error.len()).unwrap() + 4).await?;
        near.write_all(error.as_bytes()).await?;
        return near.shutdown().await;
    }
    let mut far = TcpStream::connect(upstream).await?;
    far.write_u32(u32::try_from(packet.len()).unwrap() + 4).await?;
    far.write_all(&packet).await?;
    match mode {
        Mode::Session => copy_bidirectional(&mut near, &mut far).await.map(drop),
        Mode::Statement => forget_settings(near, far).await,
    }
}

/// A message of the protocol: its type, then its length and content.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
async fn read_message(from: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.resize(length as usize + 1, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok((kind, message))
}

/// Passes statements on, and resets the session's settings after each.
async fn forget_settings(mut near: TcpStream, mut far: TcpStream) -> std::io::Result<()> {
    // The startup: a request for a password has one response, `AuthenticationOk` (0) and `SASLFinal` (12) have none.
    let mut is_ready = false;
    while !is_ready {
        let (kind, message) = read_message(&mut far).await?;
        near.write_all(&message).await?;
        if kind == b'R' && !matches!(message[8], 0 | 12) {
            far.write_all(&read_message(&mut near).await?.1).await?;
        }
        is_ready = kind == READY;
    }
    loop {
        let (kind, message) = read_message(&mut near).await?;
        far.write_all(&message).await?;
        if !matches!(kind, SYNC | QUERY) {
            continue;
        }
        loop {
            let (kind, message) = read_message(&mut far).await?;
            near.write_all(&message).await?;
            if kind == READY {
                break;
            }
        }
        far.write_all(b"Q\0\0\0\x0eRESET ALL\0").await?;
        while read_message(&mut far).await?.0 != READY {}
    }
}

/// The URL of the database behind a pooler.
async fn pooled(pool: &PgPool, mode: Mode) -> String {
    let mut url = pool.connect_options().to_url_lossy();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pool_session(near, upstream.clone(), mode));
        }
    });
    url.into()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_connection_starts_behind_pgbouncer_with_its_timeouts(pool: PgPool) {
    let url = pooled(&pool, Mode::Session).await;
    let patience = Duration::from_secs(5);
    let timeouts =
        "select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
                                     current_setting('idle_in_transaction_session_timeout'))";
    let of_pool =
        async |pool: PgPool| -> String { sqlx::query_scalar(timeouts).fetch_one(&pool).await.unwrap() };
    assert_eq!(
        of_pool(store::connect(&url, 1, patience).await.unwrap()).await,
        "15s 5s 20s"
    );
    assert_eq!(
        of_pool(store::connect_for_admin(&url, patience).await.unwrap()).await,
        "0 30s 0"
    );
    let mut intake = store::intake::connect(&url).await.unwrap();
    let found: String = sqlx::query_scalar(timeouts).fetch_one(&mut intake).await.unwrap();
    assert_eq!(found, "2s 1s 0");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pooler_that_forgets_timeouts_is_refused(pool: PgPool) {
    let url = pooled(&pool, Mode::Statement).await;
    // Statements without settings work there.
    let mut conn = store::connect_once(&url).await.unwrap();
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&mut conn).await.unwrap();
    assert_eq!(one, 1);
    let patience = Duration::from_secs(2);
    let outcomes = [
        store::connect(&url, 1, patience).await.map(drop),
        store::connect_for_admin(&url, patience).await.map(drop),
        store::intake::connect(&url).await.map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error, sqlx::Error::Configuration(_)), "{error}");
        assert!(error.to_string().contains("pool_mode = session"), "{error}");
    }
}
