//! Pages that load: how often Postgres is asked, and what is kept in memory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Stack;
use e2e::rpc::Api;
use futures_util::future::try_join_all;
use serde_json::Value;
use sqlx::Executor;

const TABS: usize = 1_000;
/// A tenth. Those that arrive while the first statements run share the next ones; the rest is for latecomers.
const STATEMENTS_MAX: f64 = 100.0;

async fn metric(stack: &Stack, name: &str) -> Result<f64> {
    let scrape = stack.api.scrape().await?;
    scrape.sum(name, &[]).with_context(|| name.to_owned())
}

/// The state, except for the freshness: a calendar may be polled at any time.
async fn state(api: Api) -> Result<Value> {
    let mut state = api.query("realtime.getState", Value::Null).await?;
    if let Some(fields) = state.as_object_mut() {
        fields.retain(|name, _| !["asOf", "mode", "calendars"].contains(&name.as_str()));
    }
    Ok(state)
}

/// As after a restart of the broker, or of the browser with all its tabs.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tabs_of_one_user_share_few_statements() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let expected = state(alice.clone()).await?;
    let statements = async || metric(&stack, "calwire_read_statements_total").await;
    let before = statements().await?;
    // Postgres is busy while the tabs arrive.
    let mut busy = stack.database.pool.begin().await?;
    busy.execute("lock table user_stream in access exclusive mode")
        .await?;
    let tabs = tokio::spawn(try_join_all((0..TABS).map(|_| state(alice.clone()))));
    tokio::time::sleep(Duration::from_secs(3)).await;
    busy.rollback().await?;
    let answers = tabs.await??;
    let statements = statements().await? - before;
    println!("{statements} statements for {TABS} tabs");
    ensure!(answers.iter().all(|answer| *answer == expected));
    ensure!(statements <= STATEMENTS_MAX, "{statements} statements");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_answers_go_with_the_data_they_show() -> Result<()> {
    let stack = Stack::start().await?;
    let kept = async || metric(&stack, "calwire_kept_answers_bytes").await;
    for procedure in ["calendar.google.disconnect", "calendar.google.deleteData"] {
        let alice = stack.connect_and_settle("alice").await?;
        state(alice.clone()).await?;
        ensure!(kept().await? > 0.0);
        alice.mutate(procedure, Value::Null).await?;
        ensure!(kept().await? == 0.0, "{procedure}");
    }
    stack.end().await
}
