//! A new version of each service goes in without anybody noticing: two copies of each behind a proxy, restarted in turn under
//! load. No request fails, no acknowledged push or write is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::balancer::Balancer;
use e2e::google::{ALICE, BOB, now, timed};
use e2e::oracle::{View, mirror_equals_google};
use e2e::rpc::Api;
use e2e::socket::Socket;
use e2e::stack::Service;
use e2e::{Options, Stack, wait};
use google_emulator::Emulator;
use serde_json::{Value, json};

const RESTARTS: usize = 10;
/// A stop is to be over by then, with all that has begun.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn each_service_is_restarted_ten_times_under_load_and_no_request_fails() -> Result<()> {
    let (api, webhook) = (Balancer::start()?, Balancer::start()?);
    let options = Options {
        apis: 2,
        ingests: 2,
        renewers: 2,
        ..Options::default()
    };
    let options = options
        .set("WEBHOOK_URL", &format!("{}/api/calendar/webhook", webhook.url()))
        .set("RATE_LIMIT_PER_MINUTE", "100000");
    let mut stack = Stack::with(options).await?;
    api.serve([stack.api.url(), stack.more_apis[0].url()]);
    webhook.serve(stack.ingests.iter().map(Service::url));
    let alice = stack.connect_and_settle("alice").await?;
    let bob = stack.connect_and_settle("bob").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let bobs = stack.calendar_id("bob", BOB).await?;
    let (alice, bob) = (Api::new(api.url(), &alice.user)?, Api::new(api.url(), &bob.user)?);
    // By way of the proxy: what is told besides events makes a page ask anew.
    let mut view = View::load(&alice).await?;

    let Stack {
        google,
        api: first_api,
        more_apis,
        ingests,
        renewers,
        ..
    } = &mut stack;
    let over = AtomicBool::new(false);
    let restarts = async {
        for round in 0..RESTARTS {
            let apis = if round % 2 == 0 {
                &mut *first_api
            } else {
                &mut more_apis[0]
            };
            let (ingest, renewer) = (&mut ingests[round % 2], &mut renewers[round % 2]);
            tokio::try_join!(restart(apis), restart(ingest), restart(renewer))?;
            wait::until("both copies are ready again", async || {
                (api.ready() == 2 && webhook.ready() == 2).then_some(())
            })
            .await;
        }
        over.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (pushed, read, written, (), ()) = tokio::try_join!(
        changes(google, &over),
        reads(&alice, &over),
        writes(&bob, &bobs, &over),
        listens(&mut socket, &mut view, &over),
        restarts
    )?;
    // A busy machine does less, but something of each between any two restarts.
    let loads = [pushed, read, written.len()];
    assert!(loads.iter().all(|load| *load > RESTARTS), "{loads:?}");

    // Every push was taken at the first try.
    let google = &stack.google;
    let refused: Vec<_> = google
        .pushes()
        .into_iter()
        .filter(|push| push.status != Some(200))
        .map(|push| (push.status, push.error, push.attempt))
        .collect();
    assert!(refused.is_empty(), "{} pushes failed: {refused:?}", refused.len());
    mirror_equals_google(&stack, "alice").await?;
    mirror_equals_google(&stack, "bob").await?;
    view.catches_up(&mut socket).await?;
    each_is_there_once(&bob, &written).await?;
    println!(
        "{RESTARTS} restarts of each of three services: {pushed} changes pushed, {read} reads, {} writes, none failed",
        written.len()
    );
    drop(socket);
    stack.end().await
}

/// As an upgrade does it: SIGTERM, and once it has ended, its successor.
async fn restart(service: &mut Service) -> Result<()> {
    let started = std::time::Instant::now();
    let code = service.terminate().await?;
    ensure!(code == Some(0), "a service ended with {code:?}");
    ensure!(
        started.elapsed() < STOP_WITHIN,
        "a stop took {:?}",
        started.elapsed()
    );
    service.start_again().await
}

/// People change events in Google; how many changes.
async fn changes(google: &Emulator, over: &AtomicBool) -> Result<usize> {
    let mut changes = 0;
    while !over.load(Ordering::Relaxed) {
        let at = TimeDelta::minutes(i64::try_from(changes % 600)?);
        google.insert(ALICE, "primary", timed(&format!("Change {changes}"), at, "UTC"))?;
        changes += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(changes)
}

async fn reads(api: &Api, over: &AtomicBool) -> Result<usize> {
    let mut reads = 0;
    while !over.load(Ordering::Relaxed) {
        api.query("calendar.google.getUpcomingEvents", json!({"days": 1}))
            .await
            .with_context(|| format!("read {reads}"))?;
        reads += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(reads)
}

/// Makes events; the titles of those that were acknowledged.
async fn writes(api: &Api, calendar: &str, over: &AtomicBool) -> Result<Vec<String>> {
    let mut written = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let title = format!("Write {}", written.len());
        let start = now() + TimeDelta::hours(2);
        let event = json!({"title": title, "start": start, "end": start + TimeDelta::hours(1)});
        let input = json!({
            "idempotencyKey": uuid::Uuid::new_v4().to_string(), "calendarId": calendar, "event": event,
        });
        api.mutate("calendar.google.createEvent", input)
            .await
            .with_context(|| title.clone())?;
        written.push(title);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(written)
}

/// A browser that is open all the while.
async fn listens(socket: &mut Socket, view: &mut View, over: &AtomicBool) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        if let Some(message) = socket.next_within(Duration::from_millis(200)).await? {
            view.apply(&message).await?;
        }
    }
    Ok(())
}

async fn each_is_there_once(api: &Api, written: &[String]) -> Result<()> {
    let range = json!({"from": now(), "to": now() + TimeDelta::hours(6)});
    // An answer to a write may have been "pending"; its end is told within seconds.
    let titles = async || -> Result<Vec<String>> {
        let answer = api.query("calendar.google.getEvents", range.clone()).await?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let titles = events.iter().filter_map(|event| event["title"].as_str());
        Ok(titles
            .filter(|title| title.starts_with("Write "))
            .map(str::to_owned)
            .collect())
    };
    wait::until("every acknowledged write is there", async || {
        let found = titles().await.ok()?;
        written.iter().all(|title| found.contains(title)).then_some(())
    })
    .await;
    let found = titles().await?;
    assert_eq!(
        found.len(),
        written.len(),
        "each once: {:?}",
        Value::from(found.clone())
    );
    Ok(())
}
