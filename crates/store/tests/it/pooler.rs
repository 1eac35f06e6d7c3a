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

/// Passes a session on, unless its startup packet has a parameter that PgBouncer refuses.
async fn pool_session(mut near: TcpStream, upstream: String) -> std::io::Result<()> {
    let mut packet;
    loop {
        let length = near.read_u32().await?;
        packet = vec![0; length as usize - 4];
        near.read_exact(&mut packet).await?;
        // SSLRequest: no TLS here.
        if packet[..] == 80_877_103_u32.to_be_bytes() {
            near.write_all(b"N").await?;
        } else {
            break;
        }
    }
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
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// The URL of the database behind a pooler.
async fn pooled(pool: &PgPool) -> String {
    let mut url = pool.connect_options().to_url_lossy();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pool_session(near, upstream.clone()));
        }
    });
    url.into()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_connection_starts_behind_pgbouncer_with_its_timeouts(pool: PgPool) {
    let url = pooled(&pool).await;
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
