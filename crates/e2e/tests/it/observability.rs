//! Observability: the metrics, the dashboard and alert rules based on them, and readiness.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use common::telemetry::metrics::{Kind, Metric, PROCESS};
use e2e::broker::workspace_root;
use e2e::google::{ALICE, timed};
use e2e::metrics::Scrape;
use e2e::{Options, Stack, wait};
use provision::prometheus;
use serde_json::{Value, json};

/// Every metric, by where it is declared.
fn tables() -> Vec<(&'static str, &'static [Metric])> {
    vec![
        ("all", &PROCESS[..]),
        ("all", sync::metrics::METRICS),
        ("api", calendar_api::metrics::METRICS),
        ("ingest", webhook_ingest::metrics::METRICS),
        ("renewer", sync::metrics::overview::METRICS),
    ]
}

#[test]
fn docs_list_every_metric() -> Result<()> {
    let mut rows = Vec::new();
    for (place, table) in tables() {
        for metric in table {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
                Kind::Summary => "summary",
            };
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let (name, labels, help) = (metric.name, labels.join(", "), metric.help);
            rows.push(format!("| `{name}` | {kind} | {labels} | {place} | {help} |"));
        }
    }
    let docs = fs::read_to_string(workspace_root().join("docs/metrics.md"))?;
    let table: Vec<_> = docs
        .lines()
        .filter(|line| line.starts_with("| `calwire_"))
        .collect();
    ensure!(
        table == rows,
        "docs/metrics.md should have this table:\n{}",
        rows.join("\n")
    );
    Ok(())
}

/// A stack in which everything happens that is measured, with push and the canary.
async fn busy() -> Result<Stack> {
    let options = Options::default()
        .set("CANARY_USER", "carol")
        .tune("canary_seconds", 1);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    stack.connect_and_settle("carol").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Seen", TimeDelta::hours(1), "UTC"))?;
    socket.next_titled("Seen").await?;
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let at = e2e::google::now() + TimeDelta::hours(3);
    let event = json!({"title": "Written", "start": at, "end": at + TimeDelta::hours(1)});
    let input = json!({"idempotencyKey": "sight", "calendarId": calendar, "event": event});
    alice.mutate("calendar.google.createEvent", input).await?;
    let unknown = alice.query("calendar.google.noSuchThing", Value::Null).await;
    ensure!(unknown.is_err(), "a failing call is measured too");
    forge(&stack).await?;
    Ok(stack)
}

async fn forge(stack: &Stack) -> Result<()> {
    let forged = reqwest::Client::new()
        .post(format!("{}/api/calendar/webhook", stack.ingests[0].url()))
        .header("X-Goog-Channel-ID", "00000000-0000-0000-0000-000000000000")
        .header("X-Goog-Channel-Token", "guess")
        .header("X-Goog-Message-Number", "7")
        .header("X-Goog-Resource-ID", "x")
        .header("X-Goog-Resource-State", "exists")
        .header(
            "X-Goog-Resource-URI",
            "https://www.googleapis.com/calendar/v3/calendars/x/events",
        )
        .send()
        .await?;
    ensure!(forged.status() == 404, "{}", forged.status());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_rules_and_dashboard_is_exported() -> Result<()> {
    let stack = busy().await?;
    let (api, ingest, renewer) = (&stack.api, &stack.ingests[0], &stack.renewers[0]);
    wait::until("the canary's push has arrived", async || {
        let push = renewer
            .scrape()
            .await
            .ok()?
            .sum("calwire_canary_results_total", &["result=\"push\""]);
        (push? >= 1.0).then_some(())
    })
    .await;
    stack.settled("alice").await;
    stack.settled("carol").await;

    let (api, ingest, renewer) = (
        api.scrape().await?,
        ingest.scrape().await?,
        renewer.scrape().await?,
    );
    counted(
        &api,
        "calwire_rpc_duration_seconds_count",
        &["procedure=\"calendar.google.createEvent\"", "code=\"OK\""],
    );
    counted(
        &api,
        "calwire_rpc_duration_seconds_count",
        &["procedure=\"unknown\"", "code=\"NOT_FOUND\""],
    );
    counted(
        &api,
        "calwire_writes_total",
        &["operation=\"create\"", "result=\"done\""],
    );
    counted(&ingest, "calwire_pushes_total", &["result=\"accepted\""]);
    counted(&ingest, "calwire_pushes_total", &["result=\"unknown_channel\""]);
    counted(
        &ingest,
        "calwire_pulls_total",
        &["cause=\"push\"", "outcome=\"committed\""],
    );
    counted(&ingest, "calwire_pull_pages_total", &[]);
    counted(&ingest, "calwire_resyncs_total", &["reason=\"first\""]);
    for way in [
        "push_to_commit",
        "commit_to_publish",
        "push_to_publish",
        "publish_duration",
    ] {
        counted(&ingest, &format!("calwire_{way}_seconds_count"), &[]);
    }
    counted(&renewer, "calwire_watch_requests_total", &["result=\"made\""]);
    counted(&renewer, "calwire_calendars", &["mode=\"push\""]);
    counted(&renewer, "calwire_watch_margin_seconds", &[]);
    counted(&renewer, "calwire_quota_used_calls", &["budget=\"project\""]);
    counted(&renewer, "calwire_canary_latency_seconds", &["quantile=\"0.99\""]);
    for quiet in [
        "calwire_outbox_age_seconds",
        "calwire_watch_renewal_overdue_seconds",
    ] {
        // The canary keeps changing its event, and each change is in the outbox for a moment.
        wait::until(&format!("{quiet} is 0"), async || {
            let value = stack.renewers[0].scrape().await.ok()?.sum(quiet, &[])?;
            (value <= 0.0).then_some(())
        })
        .await;
    }
    assert_eq!(renewer.sum("calwire_overview_success", &[]), Some(1.0));

    // No user's id, name or address.
    for scrape in [&api, &ingest, &renewer] {
        for secret in [
            "alice",
            "carol",
            "example.com",
            &stack.calendar_id("alice", ALICE).await?,
        ] {
            assert!(!scrape.text().contains(secret), "{secret} is in the metrics");
        }
    }
    names_agree(&[&api, &ingest, &renewer])?;
    ask_a_real_prometheus(&stack).await?;
    stack.end().await
}

pub fn counted(scrape: &Scrape, metric: &str, labels: &[&str]) {
    let sum = scrape.sum(metric, labels);
    assert!(
        sum.is_some_and(|sum| sum > 0.0),
        "{metric} {labels:?} is {sum:?} in\n{}",
        scrape.text()
    );
}

/// Fails unless every exported metric is declared, and every metric in rules and dashboard is exported.
fn names_agree(scrapes: &[&Scrape]) -> Result<()> {
    let declared: BTreeSet<_> = tables()
        .iter()
        .flat_map(|(_, table)| *table)
        .map(|metric| metric.name.to_owned())
        .collect();
    let found: BTreeSet<_> = scrapes.iter().flat_map(|scrape| scrape.declared()).collect();
    let unknown: Vec<_> = found.difference(&declared).collect();
    assert!(unknown.is_empty(), "exported and not documented: {unknown:?}");
    let series: BTreeSet<_> = scrapes.iter().flat_map(|scrape| scrape.names()).collect();
    for file in [
        "deploy/prometheus/rules.yml",
        "deploy/grafana/dashboards/calwire.json",
    ] {
        let text = fs::read_to_string(workspace_root().join(file))?;
        let asked: BTreeSet<_> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("calwire_"))
            .map(str::to_owned)
            .collect();
        // In words, a histogram goes by its name.
        let missing: Vec<_> = asked
            .iter()
            .filter(|name| !series.contains(*name) && !found.contains(*name))
            .collect();
        assert!(
            asked.len() > 20 && missing.is_empty(),
            "{file} uses metrics that no service exports: {missing:?}"
        );
    }
    Ok(())
}

/// Killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs every query of the dashboard and every rule in a Prometheus that scrapes the stack.
async fn ask_a_real_prometheus(stack: &Stack) -> Result<()> {
    let programs =
        tokio::task::spawn_blocking(|| prometheus::find_or_fetch(&mut |line| eprintln!("{line}"))).await??;
    let folder = tempfile::tempdir()?;
    let targets = [&stack.api, &stack.ingests[0], &stack.renewers[0]].map(e2e::stack::Service::metrics_addr);
    let config = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [workspace_root().canonicalize()?.join("deploy/prometheus/rules.yml")],
        "scrape_configs": [{"job_name": "calwire", "static_configs": [{"targets": targets}]}],
    });
    let file = folder.path().join("prometheus.yml");
    // JSON is YAML too.
    fs::write(&file, config.to_string())?;
    let addr = (Ipv4Addr::LOCALHOST, provision::port::free()?);
    let child = Command::new(&programs.server)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={}:{}", addr.0, addr.1))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let _server = Server(child);
    let url = format!("http://{}:{}", addr.0, addr.1);
    wait::until("Prometheus has scraped all three a few times", async || {
        let seen = query(&url, "count(count_over_time(calwire_build_info[1m]) >= 4)")
            .await
            .ok()?;
        (seen.first()?["value"][1] == "3").then_some(())
    })
    .await;
    for panel in panels()? {
        for expr in &panel.exprs {
            let expr = expr.replace("$__rate_interval", "1m");
            let found = query(&url, &expr)
                .await
                .with_context(|| format!("{}: {expr}", panel.title))?;
            ensure!(
                !panel.is_number || !found.is_empty(),
                "{}: {expr} returns nothing",
                panel.title
            );
        }
    }
    let rules: Value = reqwest::get(format!("{url}/api/v1/rules")).await?.json().await?;
    let groups = rules["data"]["groups"].as_array().context("groups")?.clone();
    let rules: Vec<_> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
        .collect();
    ensure!(rules.len() > 20, "{} rules", rules.len());
    for rule in &rules {
        ensure!(rule["health"] == "ok", "{}: {}", rule["name"], rule["lastError"]);
        ensure!(
            rule["state"] != "firing",
            "{} fires although everything is healthy",
            rule["name"]
        );
        ensure!(
            rule["annotations"]["description"]
                .as_str()
                .is_some_and(|text| text.len() > 40),
            "{} has no remedy",
            rule["name"]
        );
    }
    Ok(())
}

async fn query(url: &str, expr: &str) -> Result<Vec<Value>> {
    let answer = reqwest::Client::new()
        .get(format!("{url}/api/v1/query"))
        .query(&[("query", expr)])
        .send()
        .await?;
    let answer: Value = answer.json().await?;
    ensure!(answer["status"] == "success", "{answer}");
    Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
}

struct Panel {
    title: String,
    /// The panel always shows a number.
    is_number: bool,
    exprs: Vec<String>,
}

fn panels() -> Result<Vec<Panel>> {
    let text = fs::read_to_string(workspace_root().join("deploy/grafana/dashboards/calwire.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels: Vec<_> = dashboard["panels"]
        .as_array()
        .context("panels")?
        .iter()
        .filter(|panel| panel["type"] != "row")
        .map(|panel| Panel {
            title: panel["title"].as_str().unwrap_or_default().to_owned(),
            is_number: panel["type"] == "stat",
            exprs: panel["targets"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|target| target["expr"].as_str().map(str::to_owned))
                .collect(),
        })
        .collect();
    ensure!(panels.len() > 20);
    Ok(panels)
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_missing_dependency() -> Result<()> {
    let mut postgres = e2e::database::Private::start().await?;
    let options = Options {
        database_server: Some(postgres.url()),
        ..Options::default()
    };
    let mut stack = Stack::with(options).await?;
    let ready = async |url: String| -> Result<(u16, Value)> {
        let answer = reqwest::get(format!("{url}/readyz")).await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    let check = |body: &Value, name: &str| {
        let checks = body["checks"].as_array().cloned().unwrap_or_default();
        checks
            .into_iter()
            .find(|check| check["name"] == name)
            .unwrap_or_default()
    };
    for url in [stack.api.url(), stack.ingests[0].url(), stack.renewers[0].url()] {
        let (status, body) = ready(url).await?;
        assert_eq!((status, &body["status"]), (200, &json!("ready")), "{body}");
        for name in ["database", "schema", "keys"] {
            assert_eq!(check(&body, name)["ok"], true, "{body}");
        }
    }
    // Without the broker the services stay ready, and report it.
    stack.broker.kill();
    for url in [stack.api.url(), stack.ingests[0].url()] {
        let (status, body) = ready(url).await?;
        assert_eq!(status, 200, "{body}");
        let broker = check(&body, "broker");
        assert_eq!(
            (&broker["ok"], &broker["required"]),
            (&json!(false), &json!(false)),
            "{body}"
        );
    }
    stack.broker.start_again()?;
    postgres.pause().await?;
    for url in [stack.api.url(), stack.ingests[0].url(), stack.renewers[0].url()] {
        let (status, body) = ready(url.clone()).await?;
        assert_eq!(status, 503, "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("database: ")),
            "{body}"
        );
        assert_eq!(
            reqwest::get(format!("{url}/healthz")).await?.status(),
            200,
            "it lives"
        );
    }
    // The overview is unknown, and no old number is shown as current.
    let blind = wait::until("the overview is not readable", async || {
        let scrape = stack.renewers[0].scrape().await.ok()?;
        (scrape.sum("calwire_overview_success", &[]) == Some(0.0)).then_some(scrape)
    })
    .await;
    assert_eq!(blind.sum("calwire_outbox_age_seconds", &[]), None);
    postgres.resume().await?;
    wait::until("all are ready again", async || {
        let (status, _) = ready(stack.renewers[0].url()).await.ok()?;
        (status == 200).then_some(())
    })
    .await;
    stack.end().await
}
