//! `calendar-api doctor`: checks a whole installation, and reports for each part whether it works and, if not, a remedy.
//!
//! Each check uses the real thing: it publishes a message and reads it back, sends the OAuth client to Google, requests the
//! public address. A check whose precondition failed is [`Outcome::Skipped`], so that one fault is reported once. Nothing is
//! changed, at Google or here.

mod broker;
mod database;
mod google;
mod public;
mod report;
mod robots;

use common::clock::Clock;
use common::config::ConfigError;
use sqlx::PgPool;

pub use report::{Finding, Outcome, Report};

use crate::config::Config;

/// Checks an installation with this configuration.
pub async fn examine(config: Result<Config, ConfigError>, clock: &Clock) -> Report {
    let mut report = Report::default();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            report.failed(
                "configuration",
                &error,
                "correct that variable; .env.example describes it",
            );
            report.skip_the_rest("not checked without a configuration");
            return report;
        }
    };
    match config.authenticator() {
        Ok(_) => report.ok("configuration", mode(&config)),
        Err(error) => report.failed(
            "configuration",
            &error,
            "set either AUTH_JWKS_URL or AUTH_HS256_SECRET, and an AUTH_ALGORITHM that fits",
        ),
    }
    let pool = database::connect(&mut report, &config).await;
    if let Some(pool) = &pool {
        database::examine(&mut report, pool, &config, clock).await;
    } else {
        for check in ["schema", "backup", "keys", "zone-rules"] {
            report.skipped(check, "the database is unavailable");
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
        Some(address) => format!("complete; Google pushes to {address}"),
        None => "complete; polling only, because PUBLIC_URL is not set".to_owned(),
    }
}

/// Checks of the stored data: grants, channels, quota.
async fn stored(report: &mut Report, pool: Option<&PgPool>, config: &Config, clock: &Clock) {
    let checks = ["scopes", "consent-screen", "channels", "quota"];
    let Some(pool) = pool.filter(|_| report.passed("schema")) else {
        for check in checks {
            report.skipped(check, "the database is unavailable");
        }
        return;
    };
    let checked = async {
        let mut conn = pool.acquire().await?;
        google::scopes(report, &mut conn).await?;
        google::consent_screen(report, &mut conn, clock.now()).await?;
        google::channels(report, &mut conn, config, clock.now()).await?;
        google::quota(report, &mut conn, clock.now()).await
    };
    if let Err(error) = checked.await {
        let missing = checks.into_iter().filter(|&check| !report.has(check));
        for check in missing.collect::<Vec<_>>() {
            report.skipped(check, format!("the database is unavailable: {error}"));
        }
    }
}
