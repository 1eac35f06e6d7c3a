//! A rolling upgrade: two processes of each service behind a proxy, restarted in turn under load. No request fails, and no
//! acknowledged push or write is lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::google::BOB;
use e2e::oracle::{View, mirror_equals_google};
use e2e::socket::Socket;
use e2e::stack::Service;
use e2e::traffic::{Traffic, each_is_there_once};
use e2e::{Options, Stack, wait};

const RESTARTS: usize = 10;
/// Bound on a stop, including all requests under way.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn restarts_under_load_fail_no_request() -> Result<()> {
    let options = Options {
        apis: 2,
        ingests: 2,
        renewers: 2,
        balanced: true,
        ..Options::default()
    };
    let mut stack = Stack::with(options.set("RATE_LIMIT_PER_MINUTE", "100000")).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let bob = stack.connect_and_settle("bob").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let bobs = stack.calendar_id("bob", BOB).await?;
    // Through the proxy: messages other than events make a page load again.
    let mut view = View::load(&alice).await?;

    let Stack {
        google,
        api: first_api,
        more_apis,
        ingests,
        renewers,
        proxies,
        ..
    } = &mut stack;
    let proxies = proxies.as_ref().context("copies are behind proxies")?;
    let traffic = Traffic::default();
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
                (proxies.api.ready() == 2 && proxies.webhook.ready() == 2).then_some(())
            })
            .await;
        }
        traffic.end();
        anyhow::Ok(())
    };
    let ((), (), written, (), ()) = tokio::try_join!(
        traffic.changes(google),
        traffic.reads(&alice),
        traffic.writes(&bob, &bobs, Duration::ZERO),
        listens(&mut socket, &mut view, &traffic),
        restarts
    )?;
    // A busy machine does less, but some of each between any two restarts.
    let done = traffic.done();
    assert!(done.iter().all(|load| *load > RESTARTS), "{done:?}");
    assert_eq!(proxies.api.repeated(), 0, "reads were cut off");

    // Every push was accepted at the first attempt.
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
    view.catch_up(&mut socket).await?;
    each_is_there_once(&bob, &written).await?;
    println!(
        "{RESTARTS} restarts of each of three services: {} changes pushed, {} reads, {} writes, none failed",
        done[0], done[1], done[2]
    );
    drop(socket);
    stack.end().await
}

/// As an upgrade does it: SIGTERM, then the successor once it has ended.
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

/// A browser that stays open.
async fn listens(socket: &mut Socket, view: &mut View, traffic: &Traffic) -> Result<()> {
    while !traffic.is_over() {
        if let Some(message) = socket.next_within(Duration::from_millis(200)).await? {
            view.apply(&message).await?;
        }
    }
    Ok(())
}
