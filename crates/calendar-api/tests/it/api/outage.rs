//! An outage of Postgres.

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A proxy to Postgres that can be cut.
struct Proxy {
    port: u16,
    upstream: String,
    forwarding: Option<JoinHandle<()>>,
}

impl Proxy {
    async fn start(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut proxy = Self {
            port,
            upstream,
            forwarding: None,
        };
        proxy.forward(listener);
        proxy
    }

    fn forward(&mut self, listener: TcpListener) {
        let upstream = self.upstream.clone();
        self.forwarding = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let upstream = upstream.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(upstream).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        }));
    }

    /// Closes all connections and accepts no new ones.
    async fn cut(&mut self) {
        if let Some(forwarding) = self.forwarding.take() {
            forwarding.abort();
            let _ = forwarding.await;
        }
    }

    async fn restore(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.forward(listener);
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn calls_are_503_without_postgres_and_recover(pool: PgPool) {
    let mut url = pool.connect_options().to_url_lossy();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let mut proxy = Proxy::start(upstream).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    let api = Api::start_with(pool, &[("DATABASE_URL", url.as_str())]).await;
    let status = "calendar.google.status";
    api.query("alice", status, Value::Null).await.unwrap();

    proxy.cut().await;
    for _ in 0..2 {
        let response = api.get("alice", status, &Value::Null).send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let refused = unwrap(response).await.unwrap_err();
        let expected = json!({"code": "SERVICE_UNAVAILABLE", "httpStatus": 503, "path": status});
        assert_eq!(refused, expected);
    }
    let readyz = api.http.get(format!("{}/readyz", api.base)).send().await.unwrap();
    assert_eq!(readyz.status(), 503);
    // Calls that need no database are answered.
    api.query("alice", "realtime.getConnectionToken", Value::Null)
        .await
        .unwrap();

    proxy.restore().await;
    api.query("alice", status, Value::Null).await.unwrap();
}

/// A failover: sessions that were opened during it stay read-only, although the server at the address no longer is.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn calls_are_503_while_the_database_is_read_only(pool: PgPool) {
    let api = Api::start(pool.clone()).await;
    let connect = "calendar.google.connect";
    api.mutate("alice", connect, json!({})).await.unwrap();
    let database: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&pool)
        .await
        .unwrap();
    let administer = async |sql: String| {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
    };
    let ready = async || {
        let url = format!("{}/readyz", api.base);
        api.http.get(url).send().await.unwrap().status().as_u16()
    };
    administer(format!(
        "alter database {database:?} set default_transaction_read_only = on"
    ))
    .await;
    let ended = "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(ended).execute(&pool).await.unwrap();
    for attempt in 0..3 {
        let response = api.post("alice", connect, &json!({})).send().await.unwrap();
        assert_eq!(response.status(), 503, "{attempt}");
        assert_eq!(response.headers()["retry-after"], "1");
    }
    assert_eq!(ready().await, 503);
    let mut conn = pool.acquire().await.unwrap();
    for sql in [
        "set default_transaction_read_only = off",
        &format!("alter database {database:?} reset default_transaction_read_only"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    assert_eq!(
        api.post("alice", connect, &json!({}))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(ready().await, 200);
}
