//! No secret and no user's text gets into a log or the body of an error, with and without faults, at the most verbose log level
//! that an operator can set without naming a library.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::database::Private;
use e2e::google::{self, ALICE, timed};
use e2e::process::service_binary;
use e2e::{Options, Stack, broker, rpc, wait};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

const DATABASE_PASSWORD: &str = "canary-database-password";
const TOKEN_KEY: &str = "m0hN2yZB5w0m2jXGyk6L1d0uQz1xI8m4vXb7o3pT9sE=";
const TITLE: &str = "canary-title";
const GUEST: &str = "canary-guest@example.net";
/// A text in Google's refusals.
const GOOGLES_WORDS: &str = "canary-words-of-google";
/// A forged token.
const FORGED: &str = "canary-forged-token";

/// The texts that must not appear, by their kind.
const SECRETS: [(&str, &str); 17] = [
    ("the OAuth client's secret", google::CLIENT_SECRET),
    ("the database's password", DATABASE_PASSWORD),
    ("a sealing key", TOKEN_KEY),
    ("the broker's API key", broker::API_KEY),
    ("the broker's token secret", broker::TOKEN_SECRET),
    ("the host application's secret", rpc::AUTH_SECRET),
    ("an access token of Google's", "ya29."),
    ("a refresh token of Google's", "1//0"),
    ("an authorisation code", "4/0A"),
    ("a JWT", "eyJ"),
    ("a cookie", "calwire_connect="),
    ("a title, a place or a description", TITLE),
    ("a guest's address", GUEST),
    ("a user's address", ALICE),
    ("a user's address, escaped", "alice%40example"),
    ("what Google says", GOOGLES_WORDS),
    ("a forged token", FORGED),
];

/// Logs and answers, by their source.
type Said = BTreeMap<String, Vec<String>>;

fn assert_silent(said: &Said, hashes: &BTreeSet<Vec<u8>>) {
    let mut told = BTreeSet::new();
    for (who, line) in said
        .iter()
        .flat_map(|(who, texts)| texts.iter().map(move |text| (who, text)))
        .flat_map(|(who, text)| text.lines().map(move |line| (who, line)))
    {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let known = line
            .split(|c| !is_word(c))
            .filter(|word| word.len() >= 20)
            .any(|word| hashes.contains(&Sha256::digest(word.as_bytes()).to_vec()));
        let hashed = known.then_some("a token that is stored by its hash");
        let plain = SECRETS
            .iter()
            .filter(|(_, secret)| line.contains(secret))
            .map(|(what, _)| *what);
        // The line itself is not shown, so that this failure does not reveal the secret.
        told.extend(
            plain
                .chain(hashed)
                .map(|what| format!("{who} reveals {what}: {}", without_values(line))),
        );
    }
    assert!(told.is_empty(), "{told:#?}");
}

/// The level and the target of a line of a log.
fn without_values(line: &str) -> String {
    line.split_whitespace()
        .skip(1)
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The hashes of tokens and states that are stored by their hash alone.
async fn hashes(stack: &Stack) -> Result<BTreeSet<Vec<u8>>> {
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "select token_sha256 from watches union all select state_sha256 from oauth_states \
         union all select browser_sha256 from oauth_states",
    )
    .fetch_all(&stack.database.pool)
    .await?;
    Ok(hashes.into_iter().filter(|hash| !hash.is_empty()).collect())
}

fn logs(stack: &Stack, said: &mut Said) -> Result<()> {
    let services = [&stack.api]
        .into_iter()
        .chain(&stack.ingests)
        .chain(&stack.renewers);
    for service in services {
        let process = service.process()?;
        said.entry(process.name.clone())
            .or_default()
            .push(process.output());
    }
    said.entry("Centrifugo".to_owned())
        .or_default()
        .push(stack.broker.log()?);
    Ok(())
}

/// The bodies of refused requests, one for every reason.
async fn refusals(stack: &Stack, said: &mut Said) -> Result<()> {
    let alice = stack.as_user("alice")?;
    let http = &alice.http;
    let (api, ingest) = (stack.api.url(), stack.ingests[0].url());
    let status = format!("{api}/trpc/calendar.google.status");
    let title = json!({"title": TITLE, "attendees": [{"email": GUEST}]});
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let (channel, resource): (String, String) =
        sqlx::query_as("select channel_id, google_resource_id from watches where state = 'live' limit 1")
            .fetch_one(&stack.database.pool)
            .await?;
    let push = |token: &str, resource: &str| {
        http.post(format!("{ingest}/api/calendar/webhook"))
            .header("X-Goog-Channel-ID", &channel)
            .header("X-Goog-Channel-Token", token)
            .header("X-Goog-Resource-ID", resource)
            .header("X-Goog-Resource-State", "exists")
            .header("X-Goog-Message-Number", "1")
    };
    let mutation =
        |procedure: &str, input: Value| alice.mutation(&format!("calendar.google.{procedure}"), &input);
    let event = |idempotency_key: &str| json!({"idempotencyKey": idempotency_key, "calendarId": calendar, "eventId": "nothing", "baseEtag": "\"1\"", "patch": title});
    let requests = [
        ("no token", http.get(&status)),
        ("an invalid token", http.get(&status).bearer_auth(FORGED)),
        (
            "an expired token",
            http.get(&status).bearer_auth(rpc::jwt_for("alice", -600)?),
        ),
        ("an unknown procedure", mutation("noSuchProcedure", json!({}))),
        (
            "no JSON",
            mutation("syncNow", Value::Null).body(format!("{{\"{TITLE}")),
        ),
        (
            "an event without times",
            mutation(
                "createEvent",
                json!({"idempotencyKey": "k", "calendarId": calendar, "event": title}),
            ),
        ),
        ("an unknown event", mutation("updateEvent", event("k1"))),
        (
            "an unknown calendar",
            mutation("syncNow", json!({"calendarIds": [uuid::Uuid::nil()]})),
        ),
        ("a forged push", push(FORGED, &resource)),
        ("a push for another resource", push("guess", FORGED)),
        (
            "a callback without a state",
            http.get(format!(
                "{api}/oauth/google/callback?state={FORGED}&code={FORGED}&error={FORGED}"
            )),
        ),
        ("an unknown path", http.get(format!("{api}/no/such/path"))),
    ];
    let bodies = said.entry("an answer".to_owned()).or_default();
    for (what, request) in requests {
        let response = request.send().await?;
        ensure!(!response.status().is_success(), "{what} is refused");
        let location = response.headers().get("location").cloned();
        bodies.push(format!("{location:?} {}", response.text().await?));
    }
    Ok(())
}

/// The output of each service when it fails to start.
async fn refused_starts(said: &mut Said) -> Result<()> {
    let good = [
        (
            "DATABASE_URL",
            format!("postgres://calwire:{DATABASE_PASSWORD}@127.0.0.1:9/calwire"),
        ),
        ("GOOGLE_CLIENT_ID", google::CLIENT_ID.to_owned()),
        ("GOOGLE_CLIENT_SECRET", google::CLIENT_SECRET.to_owned()),
        ("TOKEN_KEYS", format!("1:{TOKEN_KEY}")),
        ("CENTRIFUGO_API_URL", "http://127.0.0.1:9/api".to_owned()),
        ("CENTRIFUGO_API_KEY", broker::API_KEY.to_owned()),
        ("CENTRIFUGO_TOKEN_SECRET", broker::TOKEN_SECRET.to_owned()),
        ("AUTH_HS256_SECRET", rpc::AUTH_SECRET.to_owned()),
        ("AUTH_ISSUER", rpc::AUTH_ISSUER.to_owned()),
        ("AUTH_AUDIENCE", rpc::AUTH_AUDIENCE.to_owned()),
        ("RUST_LOG", "debug".to_owned()),
    ];
    let wrong = [
        ("the database down", "DATABASE_URL", good[0].1.clone()),
        (
            "no address",
            "DATABASE_URL",
            format!("postgres://calwire:{DATABASE_PASSWORD}@[:/"),
        ),
        (
            "a surplus key",
            "TOKEN_KEYS",
            format!("1:{TOKEN_KEY},1:{TOKEN_KEY}"),
        ),
        ("a key without its id", "TOKEN_KEYS", TOKEN_KEY.to_owned()),
        ("an invalid number", "DATABASE_MAX_CONNECTIONS", FORGED.to_owned()),
        ("an invalid address", "CENTRIFUGO_API_URL", FORGED.to_owned()),
    ];
    for service in ["calendar-api", "webhook-ingest", "watch-renewer"] {
        for (what, variable, value) in &wrong {
            let output = Command::new(service_binary(service)?)
                .arg("serve")
                .env_clear()
                .envs(good.iter().map(|(name, value)| (name, value)))
                .env("LISTEN_ADDR", "127.0.0.1:0")
                .env(variable, value)
                .kill_on_drop(true)
                .output();
            let output = match tokio::time::timeout(wait::PATIENCE, output).await {
                Ok(output) => output?,
                Err(_) => anyhow::bail!("{service} keeps running with {what}"),
            };
            // watch-renewer knows no broker.
            ensure!(!output.status.success(), "{service} does not start with {what}");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            ensure!(!text.trim().is_empty(), "{service} prints the reason");
            // The variable's name may be shown: it is how one finds the error.
            said.entry(format!("{service} that fails to start"))
                .or_default()
                .push(text.replace(FORGED, ""));
        }
    }
    Ok(())
}

/// An event of alice's, as a browser has seen it.
struct Seen {
    calendar: String,
    event: Value,
    etag: Value,
}

impl Seen {
    fn renamed(&self, key: &str) -> Value {
        json!({"idempotencyKey": key, "calendarId": self.calendar, "eventId": self.event, "baseEtag": self.etag,
               "patch": {"title": format!("{TITLE} {key}")}})
    }
}

/// Without faults: connect, push, publish, edit.
async fn good_times(stack: &Stack) -> Result<(rpc::Api, Seen)> {
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut event = timed(TITLE, TimeDelta::hours(1), "UTC");
    event["description"] = json!(TITLE);
    event["location"] = json!(TITLE);
    event["attendees"] = json!([{"email": GUEST, "displayName": TITLE}]);
    let inserted = stack.google.insert(ALICE, "primary", event)?;
    let change = socket.next_change().await?;
    ensure!(
        change.to_string().contains(TITLE),
        "the browser receives it: {change}"
    );
    let seen = Seen {
        calendar: stack.calendar_id("alice", ALICE).await?,
        event: inserted["id"].clone(),
        etag: change["upserted"][0]["events"][0]["etag"].clone(),
    };
    alice
        .mutate("calendar.google.updateEvent", seen.renamed("again"))
        .await?;
    Ok((alice, seen))
}

/// Google fails in each way.
async fn google_fails(stack: &Stack, alice: &rpc::Api, seen: &Seen, said: &mut Said) -> Result<()> {
    let error = |status, reason: &str| Fault::Error {
        status,
        reason: Some(reason.to_owned()),
        message: Some(GOOGLES_WORDS.to_owned()),
        retry_after: None,
    };
    let faults = [
        error(500, "backendError"),
        error(403, "forbidden"),
        error(429, "rateLimitExceeded"),
        Fault::BadGateway,
        Fault::Garbage,
        Fault::Truncate,
        Fault::Reset { after: false },
    ];
    for fault in faults {
        for endpoint in ["events.list", "events.patch", "oauth.token"] {
            stack.google.fault(Rule::new(endpoint, fault.clone()).times(1));
        }
    }
    for n in 0..3 {
        stack.google.expire_access_tokens(ALICE);
        stack
            .google
            .insert(ALICE, "primary", timed(TITLE, TimeDelta::hours(2 + n), "UTC"))?;
        let write = seen.renamed(&format!("failing-{n}"));
        let answer = alice
            .mutation("calendar.google.updateEvent", &write)
            .send()
            .await?;
        if !answer.status().is_success() {
            // The two sides of a conflict are meant for the editing user: only the rest of the answer is checked.
            let mut body: Value = answer.json().await?;
            for side in ["base", "ours", "theirs"] {
                body["error"]["data"][side].take();
            }
            said.entry("an answer".to_owned())
                .or_default()
                .push(body.to_string());
        }
    }
    stack.google.clear_faults();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_errors_have_no_secret_and_no_title() -> Result<()> {
    let mut postgres = Private::start().await?;
    let mut server: url::Url = postgres.url().parse()?;
    server
        .set_password(Some(DATABASE_PASSWORD))
        .map_err(|()| anyhow::anyhow!("no password"))?;
    let options = Options {
        database_server: Some(server.into()),
        ..Options::default()
            .set("RUST_LOG", "debug")
            .set("TOKEN_KEYS", &format!("1:{TOKEN_KEY}"))
            .tune("grant_confirm_seconds", 1)
    };
    let mut stack = Stack::with(options).await?;
    let mut said = Said::new();
    let (alice, seen) = good_times(&stack).await?;
    google_fails(&stack, &alice, &seen, &mut said).await?;

    // The broker is down, the database is down, the grant ends, and services fail to start.
    stack.broker.kill();
    stack
        .google
        .insert(ALICE, "primary", timed(TITLE, TimeDelta::hours(8), "UTC"))?;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    stack.broker.start_again()?;
    refusals(&stack, &mut said).await?;
    postgres.pause().await?;
    let away = alice
        .mutation("calendar.google.syncNow", &Value::Null)
        .send()
        .await?;
    ensure!(away.status() == 503, "{}", away.status());
    said.entry("an answer".to_owned())
        .or_default()
        .push(away.text().await?);
    postgres.resume().await?;
    stack.google.revoke(ALICE);
    let ended = async || {
        let _ = alice.mutate("calendar.google.syncNow", Value::Null).await;
        let ended: i64 =
            sqlx::query_scalar("select count(*) from connections where grant_ended_at is not null")
                .fetch_one(&stack.database.pool)
                .await
                .ok()?;
        (ended == 1).then_some(())
    };
    wait::until("the grant has ended", ended).await;
    refused_starts(&mut said).await?;

    logs(&stack, &mut said)?;
    // The scan covers the logs that it should.
    let api = said
        .get("calendar-api")
        .context("calendar-api has logged something")?
        .join("\n");
    ensure!(
        api.contains("DEBUG") && api.contains("Request answered"),
        "the logs are at debug level"
    );
    assert_silent(&said, &hashes(&stack).await?);
    stack.end().await
}
