//! `cargo xtask dates` shifts the clocks of a stack. If it missed one, its runs would prove nothing.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use e2e::{Stack, google};

/// Dates in HTTP are whole seconds, and a server may remember one for a moment.
const TOLERANCE: TimeDelta = TimeDelta::seconds(5);

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_of_a_stack_have_the_same_time() -> Result<()> {
    let stack = Stack::start().await?;
    let database = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&stack.database.pool)
        .await?;
    is_now("Postgres", database)?;
    for (part, url) in [
        ("calendar-api", stack.api.url()),
        ("webhook-ingest", stack.ingests[0].url()),
        ("watch-renewer", stack.renewers[0].url()),
        ("Centrifugo", stack.broker.api_url()),
    ] {
        is_now(part, date_of(&url).await?)?;
    }
    stack.end().await
}

fn is_now(part: &str, time: DateTime<Utc>) -> Result<()> {
    let now = google::now();
    ensure!(
        (time - now).abs() < TOLERANCE,
        "{part} has {time}, this test has {now}"
    );
    Ok(())
}

/// The `Date` of any response.
async fn date_of(url: &str) -> Result<DateTime<Utc>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let response = client.get(url).send().await?;
    let date = response
        .headers()
        .get("date")
        .context("no Date in the response")?;
    Ok(DateTime::parse_from_rfc2822(date.to_str()?)?.to_utc())
}
