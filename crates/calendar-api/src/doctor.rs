//! `calendar-api doctor`: looks at a whole installation from where it stands, and says of each part whether it works and, if
//! not, what to do.
//!
//! Each check asks the thing itself: a message is published and heard again, Google is asked about the OAuth client, the
//! public address is called from outside in. What a check needs and has not got makes it [`Outcome::Skipped`], so that one
//! fault is named once. Nothing is changed, at Google or here.

mod broker;
mod database;
mod google;
mod public;
mod report;

use std::time::Duration;

use common::clock::Clock;
use common::config::ConfigError;
use sqlx::PgPool;

pub use report::{Finding, Outcome, Report};

use crate::config::Config;

/// How long a single question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Examines an installation with this configuration. `Err`: what is wrong with the variables.
pub async fn examine(config: Result<Config, ConfigError>, clock: &Clock) -> Report {
    let mut report = Report::default();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            report.failed(
                "configuration",
                &error,
                "correct that variable; .env.example says what it expects",
            );
            report.skip_the_rest("without a configuration nothing else can be looked at");
            return report;
        }
    };
    match config.authenticator() {
        Ok(_) => report.ok("configuration", mode(&config)),
        Err(error) => report.failed(
            "configuration",
            &error,
            "set AUTH_… so that one way to tell users apart is left",
        ),
    }
    let pool = database::connect(&mut report, &config).await;
    if let Some(pool) = &pool {
        database::examine(&mut report, pool, &config, clock).await;
    } else {
        for check in ["schema", "backup", "keys"] {
            report.skipped(check, "the database cannot be asked");
        }
    }
    broker::examine(&mut report, &config).await;
    google::examine(&mut report, &config, clock).await;
    public::examine(&mut report, &config, clock).await;
    stored(&mut report, pool.as_ref(), &config, clock).await;
    report
}

fn mode(config: &Config) -> String {
    match config.sync.settings().webhook_address() {
        Some(address) => format!("complete; Google is asked to push to {address}"),
        None => "complete; polling only, because PUBLIC_URL is not set".to_owned(),
    }
}

/// What the data tells: grants, channels, quota.
async fn stored(report: &mut Report, pool: Option<&PgPool>, config: &Config, clock: &Clock) {
    let checks = ["scopes", "consent-screen", "channels", "quota"];
    let Some(pool) = pool.filter(|_| report.is_well("schema")) else {
        for check in checks {
            report.skipped(check, "the database cannot be asked");
        }
        return;
    };
    let asked = async {
        let mut conn = pool.acquire().await?;
        google::scopes(report, &mut conn).await?;
        google::consent_screen(report, &mut conn, clock.now()).await?;
        google::channels(report, &mut conn, config, clock.now()).await?;
        google::quota(report, &mut conn, clock.now()).await
    };
    if let Err(error) = asked.await {
        let missing = checks.into_iter().filter(|&check| !report.has(check));
        for check in missing.collect::<Vec<_>>() {
            report.skipped(check, format!("the database cannot be asked: {error}"));
        }
    }
}
