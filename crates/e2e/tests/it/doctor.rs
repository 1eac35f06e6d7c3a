//! `calendar-api doctor` against the whole stack, with a correct configuration and with one error at a time.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::{Options, Stack};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Variables and their values, or checks and their remedies.
type Pairs<'a> = [(&'a str, &'a str)];

/// A stack on one origin, as a deployment is, with alice connected and watched.
async fn deployed() -> Result<Stack> {
    let options = Options {
        // The page is irrelevant here.
        page: Some(e2e::broker::workspace_root().join("deploy/page")),
        ..Options::default()
    };
    // Google's pushes use the same origin.
    let stack = Stack::with(options.set("WEBHOOK_URL", "")).await?;
    stack.connect_and_settle("alice").await?;
    Ok(stack)
}

/// The doctor's findings with these variables changed. Fails unless the exit code agrees with them.
async fn findings(stack: &Stack, changes: &[(&str, &str)]) -> Result<Vec<Value>> {
    let output = stack.command(&["doctor", "--json"], changes).await?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let findings = report["findings"].as_array().context("findings")?.clone();
    let healthy = findings.iter().all(|finding| finding["outcome"] != "failed");
    assert_eq!(output.status.success(), healthy);
    Ok(findings)
}

/// Expects that with these changes exactly the named checks fail, each with a remedy that contains the text.
async fn finds(stack: &Stack, changes: &[(&str, &str)], expected: &[(&str, &str)]) -> Result<()> {
    let findings = findings(stack, changes).await?;
    let failed: Vec<_> = findings
        .iter()
        .filter(|finding| finding["outcome"] == "failed")
        .collect();
    let names: Vec<_> = failed
        .iter()
        .filter_map(|finding| finding["check"].as_str())
        .collect();
    let wanted: Vec<_> = expected.iter().map(|(check, _)| *check).collect();
    ensure!(
        names == wanted,
        "{changes:?}: {wanted:?} expected of {findings:#?}"
    );
    for (finding, (check, remedy)) in failed.iter().zip(expected) {
        let said = finding["remedy"].as_str().unwrap_or_default();
        ensure!(
            said.contains(remedy),
            "{check}: {said:?} does not contain {remedy:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_installation_passes_every_check() -> Result<()> {
    let stack = deployed().await?;
    let findings = findings(&stack, &[]).await?;
    for finding in &findings {
        ensure!(finding["outcome"] == "ok", "{finding}");
        ensure!(finding["remedy"].is_null(), "{finding}");
    }
    ensure!(findings.len() == 19, "{findings:#?}");

    let output = stack.command(&["doctor"], &[]).await?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        text.lines().filter(|line| line.starts_with('✓')).count() == 19,
        "{text}"
    );
    ensure!(text.ends_with("All checks passed.\n"), "{text}");
    for secret in ["GOCSPX-", "e2e-centrifugo", "4OHi4+Tl5ufo6err7O3u7", "alice@"] {
        ensure!(!text.contains(secret), "{text}");
    }
    // Running it again finds the same.
    for _ in 0..3 {
        self::findings(&stack, &[]).await?;
    }
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_variable_is_reported_with_its_remedy() -> Result<()> {
    let stack = deployed().await?;
    let database = &stack.database.url;
    let elsewhere = "postgres://nobody@127.0.0.1:1/none";
    let mut nameless = url::Url::parse(database)?;
    nameless.set_path("calwire_there_is_no_such_database");
    let other_key = "1:4uHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
    let another = "2:4uHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
    let secret = "fedcba9876543210fedcba9876543210";
    let ingest = format!("{}/api/calendar/webhook", stack.api.url());
    #[rustfmt::skip]
    let cases: [(&Pairs<'_>, &Pairs<'_>); 13] = [
        (&[("AUTH_ISSUER", "")], &[("configuration", ".env.example")]),
        (&[("AUTH_HS256_SECRET", "")], &[("configuration", "AUTH_")]),
        (&[("AUTH_HS256_SECRET", "change-me-change-me-change-me-change-me")], &[("configuration", ".env.example")]),
        (&[("DATABASE_URL", elsewhere)], &[("database", "start Postgres")]),
        (&[("DATABASE_URL", nameless.as_str())], &[("database", "create the database")]),
        (&[("DATABASE_MAX_CONNECTIONS", "2000")], &[("database", "max_connections")]),
        (&[("TOKEN_KEYS", other_key)], &[("keys", "a number of its own")]),
        (&[("TOKEN_KEYS", another)], &[("keys", "put that key back")]),
        (&[("CENTRIFUGO_API_KEY", secret)], &[("broker", "the same key")]),
        (&[("CENTRIFUGO_API_URL", "http://127.0.0.1:1/api")], &[("broker", "start Centrifugo")]),
        (&[("CENTRIFUGO_TOKEN_SECRET", secret)], &[("socket", "CENTRIFUGO_TOKEN_SECRET")]),
        (&[("APP_ORIGINS", "https://elsewhere.example")], &[("socket", "client.allowed_origins")]),
        (&[("GOOGLE_CLIENT_SECRET", "GOCSPX-of-another-client")], &[("oauth-client", "GOOGLE_CLIENT_SECRET")]),
    ];
    for (changes, expected) in cases {
        finds(&stack, changes, expected).await?;
    }
    // A channel with another address does not count; a new one is made within minutes.
    finds(
        &stack,
        &[("WEBHOOK_URL", &ingest)],
        &[("webhook", "to webhook-ingest")],
    )
    .await?;
    finds(
        &stack,
        &[(
            "GOOGLE_BASE_URL",
            &format!("http://127.0.0.1:1,{}", stack.google.base_url()),
        )],
        &[("oauth-client", "oauth2.googleapis.com")],
    )
    .await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn public_addresses_are_checked_from_outside() -> Result<()> {
    let mut stack = deployed().await?;
    finds(
        &stack,
        &[("PUBLIC_URL", "https://calwire.invalid")],
        &[
            ("redirect-uri", "authorised redirect URIs"),
            ("certificate", "A or AAAA record"),
        ],
    )
    .await?;

    let untrusted = Untrusted::start()?;
    let public = format!("https://localhost:{}", untrusted.port);
    let found = findings(&stack, &[("PUBLIC_URL", &public)]).await?;
    let certificate = found
        .iter()
        .find(|finding| finding["check"] == "certificate")
        .context("the check")?;
    ensure!(certificate["outcome"] == "failed", "{certificate}");
    let remedy = certificate["remedy"].as_str().unwrap_or_default();
    ensure!(remedy.contains("the whole chain"), "{certificate}");
    drop(untrusted);

    let forbidding = answering("User-agent: APIs-Google\nDisallow: /\n")?;
    finds(
        &stack,
        &[("PUBLIC_URL", &forbidding)],
        &[
            ("robots.txt", "Google sends no push"),
            ("webhook", "to webhook-ingest"),
            ("api", "to calendar-api"),
            ("socket", "the headers of the upgrade"),
        ],
    )
    .await?;

    stack.ingests[0].kill().await;
    let found = findings(&stack, &[]).await?;
    let webhook = found
        .iter()
        .find(|finding| finding["check"] == "webhook")
        .context("the check")?;
    ensure!(webhook["outcome"] == "failed", "{webhook}");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_in_the_data_are_reported() -> Result<()> {
    let stack = deployed().await?;
    let pool = &stack.database.pool;
    let run = async |sql: &'static str| sqlx::query(sql).execute(pool).await;

    run("update database_identity set system_identifier = 'another'").await?;
    finds(&stack, &[], &[("backup", "calendar-api restored")]).await?;
    let restored = stack.command(&["restored"], &[]).await?;
    ensure!(restored.status.success(), "{restored:?}");
    finds(&stack, &[], &[]).await?;

    run("insert into quota_pauses (bucket, until) values ('project', now() + interval '1 hour')").await?;
    finds(&stack, &[], &[("quota", "request more")]).await?;
    run("delete from quota_pauses").await?;

    run("update watches set state = 'stopped'").await?;
    run(
        "update calendars set created_at = now() - interval '1 hour', updated_at = now() - interval '1 hour'",
    )
    .await?;
    // The renewer would make new ones.
    let mut stack = stack;
    stack.renewers[0].kill().await;
    sqlx::query("delete from watches")
        .execute(&stack.database.pool)
        .await?;
    finds(&stack, &[], &[("channels", "start watch-renewer")]).await?;
    stack.renewers[0].start_again().await?;
    let at_start = stack.renewers[0].process()?.output();
    stack.watched("alice").await;
    finds(&stack, &[], &[]).await?;

    let run = async |sql: &'static str| sqlx::query(sql).execute(&stack.database.pool).await;
    run("update zone_data set version = '2999a'").await?;
    finds(&stack, &[], &[("zone-rules", "the same tzdata")]).await?;
    run("delete from zone_data").await?;
    let findings = findings(&stack, &[]).await?;
    let rules = findings.iter().find(|finding| finding["check"] == "zone-rules");
    let rules = rules
        .and_then(|rules| rules["found"].as_str())
        .context("zone-rules")?;
    ensure!(
        at_start.contains(&format!("Zone rules: {rules}")),
        "{rules}: {at_start}"
    );

    let pool = &stack.database.pool;
    sqlx::query("update connections set scopes = array['openid', 'email']")
        .execute(pool)
        .await?;
    finds(&stack, &[], &[("scopes", "docs/setup-google.md")]).await?;
    sqlx::query(
        "update connections set granted_at = now() - interval '7 days 1 hour', grant_ended_at = now()",
    )
    .execute(pool)
    .await?;
    finds(&stack, &[], &[("consent-screen", "publish the app")]).await?;

    sqlx::query("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .execute(pool)
        .await?;
    finds(&stack, &[], &[("schema", "calendar-api migrate")]).await?;
    stack.end().await
}

/// An https server with a self-signed certificate.
struct Untrusted {
    server: Child,
    port: u16,
    _files: tempfile::TempDir,
}

impl Untrusted {
    fn start() -> Result<Self> {
        let files = tempfile::tempdir()?;
        let path = |name: &str| files.path().join(name).to_string_lossy().into_owned();
        let (key, certificate) = (path("key.pem"), path("certificate.pem"));
        #[rustfmt::skip]
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate])
            .stderr(Stdio::null())
            .status()
            .context("openssl makes the certificate")?;
        ensure!(made.success(), "openssl: {made}");
        let port = provision::port::free()?;
        let mut server = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-accept", &port.to_string()])
            .args(["-key", &key, "-cert", &certificate])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        provision::port::wait_until_open(port, std::time::Duration::from_secs(10), || {
            ensure!(server.try_wait()?.is_none(), "openssl s_server ended");
            Ok(())
        })?;
        Ok(Self {
            server,
            port,
            _files: files,
        })
    }
}

impl Drop for Untrusted {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts a server that answers every request with this text; returns its origin.
fn answering(body: &'static str) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = client.read(&mut head).await;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    });
    Ok(format!("http://localhost:{port}"))
}
