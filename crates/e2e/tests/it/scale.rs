//! Several processes of each service, any of which may die at any time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::broker::Broker;
use e2e::follower::Follower;
use e2e::google::{ALICE, BOB, timed};
use e2e::oracle::mirror_equals_google;
use e2e::proxies::Proxies;
use e2e::stack::Service;
use e2e::traffic::{Traffic, each_is_there_once};
use e2e::{Options, Stack, wait};
use serde_json::json;

use crate::main_job::jobs;

/// Pages that alice has open.
const PAGES: usize = 4;

async fn scaled() -> Result<Stack> {
    Stack::with(Options::scaled()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_google_reaches_socket_and_api() -> Result<()> {
    jobs::a_change_in_google_reaches_socket_and_api(scaled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_one_change_with_its_instances() -> Result<()> {
    jobs::a_series_is_one_change_with_its_instances(scaled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_silent() -> Result<()> {
    jobs::an_echo_is_silent(scaled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_sees_another_users_calendar() -> Result<()> {
    jobs::no_user_sees_another_users_calendar(scaled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_and_no_access_are_answers() -> Result<()> {
    jobs::no_connection_and_no_access_are_answers(scaled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_any_process_under_load_loses_nothing() -> Result<()> {
    let options = Options::scaled()?
        .set("RATE_LIMIT_PER_MINUTE", "100000")
        // No poll within the test: a change arrives only by its push.
        .tune("poll_watched_seconds", 86_400)
        .tune("poll_unwatched_seconds", 86_400);
    let mut stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let bob = stack.connect_and_settle("bob").await?;
    let bobs = stack.calendar_id("bob", BOB).await?;
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        pages.push(Follower::open(&alice, &stack.broker.ws_url()).await?);
    }

    let traffic = Traffic::default();
    let Stack {
        google,
        api,
        more_apis,
        ingests,
        renewers,
        broker,
        proxies,
        ..
    } = &mut stack;
    let proxies = proxies.as_ref().context("copies are behind proxies")?;
    let services: Vec<_> = [api]
        .into_iter()
        .chain(more_apis)
        .chain(ingests)
        .chain(renewers)
        .collect();
    let (kills, (), (), written, _) = tokio::try_join!(
        kill_each(services, broker, proxies, &traffic),
        traffic.changes(google),
        traffic.reads(&alice),
        traffic.writes(&bob, &bobs, wait::PATIENCE),
        futures_util::future::try_join_all(pages.iter_mut().map(|page| listens(page, &traffic))),
    )?;

    let cut_off = proxies.api.repeated();
    mirror_equals_google(&stack, "alice").await?;
    mirror_equals_google(&stack, "bob").await?;
    stack.settled("alice").await;
    each_is_there_once(&bob, &written).await?;
    for page in &mut pages {
        page.catch_up().await?;
        ensure!(page.returns > 0, "a page's node was not killed");
        ensure!(
            page.recoveries == page.returns,
            "{} of {} returns were recovered by the other node",
            page.recoveries,
            page.returns
        );
        ensure!(page.view.gaps == 0, "{} messages are missing", page.view.gaps);
    }
    let set_aside: i64 = sqlx::query_scalar("select count(*) from dead_letters")
        .fetch_one(&stack.database.pool)
        .await?;
    ensure!(set_aside == 0, "{set_aside} messages were dead-lettered");
    let pushes = stack.google.pushes();
    let refused = pushes.iter().filter(|push| push.status != Some(200)).count();
    let [changed, read, _] = traffic.done();
    println!(
        "{kills} kills: {changed} changes in {} pushes ({refused} tried again), {read} reads ({cut_off} made again by \
         the proxy), {} writes ({} made again by the page), {} sockets opened again and recovered",
        pushes.len(),
        written.len(),
        traffic.repeated.into_inner(),
        pages.iter().map(|page| page.returns).sum::<u32>()
    );
    drop(pages);
    stack.end().await
}

/// Kills one after the other, and starts each again once the others have worked without it.
async fn kill_each(
    services: Vec<&mut Service>,
    broker: &mut Broker,
    proxies: &Proxies,
    traffic: &Traffic,
) -> Result<usize> {
    let (apis, ingests) = (proxies.api.ready(), proxies.webhook.ready());
    goes_on(traffic).await;
    let kills = services.len() + broker.nodes();
    for service in services {
        service.kill().await;
        goes_on(traffic).await;
        service.start_again().await?;
        wait::until("all copies are ready again", async || {
            (proxies.api.ready() == apis && proxies.webhook.ready() == ingests).then_some(())
        })
        .await;
    }
    for node in 0..broker.nodes() {
        broker.kill_node(node);
        goes_on(traffic).await;
        tokio::task::block_in_place(|| broker.start_node(node))?;
    }
    goes_on(traffic).await;
    traffic.end();
    Ok(kills)
}

/// Waits until more was changed, read and written.
async fn goes_on(traffic: &Traffic) {
    let before = traffic.done();
    wait::until("people keep working", async || {
        let done = traffic.done().into_iter().zip(before);
        done.into_iter()
            .all(|(now, before)| now > before + 4)
            .then_some(())
    })
    .await;
}

async fn listens(page: &mut Follower, traffic: &Traffic) -> Result<()> {
    while !traffic.is_over() {
        page.listen(Duration::from_millis(200)).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_reload_from_the_database_after_losing_redis() -> Result<()> {
    let mut stack = scaled().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let mut page = Follower::open(&alice, &stack.broker.ws_url()).await?;
    let insert = |title: &str, hours: i64| {
        let event = timed(title, TimeDelta::hours(hours), "UTC");
        stack.google.insert(ALICE, "primary", event).map(drop)
    };
    insert("Before", 1)?;
    mirror_equals_google(&stack, "alice").await?;
    page.catch_up().await?;

    stack.broker.kill_redis()?;
    for n in 0..5 {
        insert(&format!("Away {n}"), n)?;
    }
    mirror_equals_google(&stack, "alice").await?;
    // Reads do not need the broker.
    let answer = alice
        .query("calendar.google.getUpcomingEvents", json!({"maxResults": 50}))
        .await?;
    ensure!(
        answer["events"]
            .as_array()
            .is_some_and(|events| events.iter().any(|event| event["title"] == "Away 4"))
    );
    stack.broker.start_redis()?;
    stack.settled("alice").await;
    page.catch_up().await?;
    ensure!(
        page.returns > 0 && page.recoveries < page.returns,
        "Redis kept its data"
    );
    insert("After", 2)?;
    mirror_equals_google(&stack, "alice").await?;
    page.catch_up().await?;
    drop(page);
    stack.end().await
}
