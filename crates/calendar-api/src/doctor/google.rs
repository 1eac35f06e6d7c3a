//! The OAuth client at Google, and what stored grants, channels and calls show about the project.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use google::{AuthorizationRequest, Error, Google, Pkce};
use sqlx::PgConnection;
use store::health;

use super::report::Report;
use crate::config::Config;

/// Tokens have times: with more skew than this, valid ones are rejected.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(10);

pub async fn examine(report: &mut Report, config: &Config, clock: &Clock) {
    let google = match Google::new(config.sync.google()) {
        Ok(google) => google,
        Err(error) => {
            report.failed(
                "oauth-client",
                &error,
                "install CA certificates (Debian: ca-certificates)",
            );
            for check in ["redirect-uri", "clock"] {
                report.skipped(check, "Google is unavailable");
            }
            return;
        }
    };
    client(report, &google).await;
    redirect_uri(report, &google, config).await;
    time(report, &google, clock).await;
}

/// Google checks the client before the token.
async fn client(report: &mut Report, google: &Google) {
    match google.refresh(&"calwire-doctor".into()).await {
        Ok(_) | Err(Error::GrantRejected) => {
            report.ok("oauth-client", "Google accepts the client and its secret");
        }
        Err(error @ Error::ClientMisconfigured { .. }) => report.failed(
            "oauth-client",
            &error,
            "correct GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET: Google Cloud console, Credentials",
        ),
        Err(error) => report.failed(
            "oauth-client",
            &error,
            "let this host reach oauth2.googleapis.com:443, then try again",
        ),
    }
}

async fn redirect_uri(report: &mut Report, google: &Google, config: &Config) {
    let uri = config
        .browser_url()
        .join(crate::connect::CALLBACK_PATH)
        .to_string();
    let pkce = Pkce::generate();
    let request = AuthorizationRequest {
        redirect_uri: &uri,
        scopes: &google::scopes::REQUESTED,
        state: "calwire-doctor",
        code_challenge: &pkce.challenge,
        login_hint: None,
        force_consent: true,
    };
    match google.check_authorization(&request).await {
        Ok(()) => report.ok("redirect-uri", format!("Google accepts {uri}")),
        Err(Error::ClientMisconfigured { reason }) if reason == "redirect_uri_mismatch" => report.failed(
            "redirect-uri",
            format!("Google does not know {uri}"),
            "add exactly this to the client's authorised redirect URIs: Google Cloud console, Credentials",
        ),
        Err(Error::ClientMisconfigured { reason }) if reason == "invalid_scope" => report.failed(
            "redirect-uri",
            "Google does not know one of the requested scopes",
            "enable the Google Calendar API in the client's project, and add the scopes to its consent screen",
        ),
        Err(error @ Error::ClientMisconfigured { .. }) => report.failed(
            "redirect-uri",
            &error,
            "correct the client and its consent screen: docs/setup-google.md",
        ),
        Err(error) => report.failed(
            "redirect-uri",
            &error,
            "let this host reach accounts.google.com:443, then try again",
        ),
    }
}

async fn time(report: &mut Report, google: &Google, clock: &Clock) {
    match google.time().await {
        Ok(theirs) => {
            let skew = clock.now() - theirs;
            if skew.abs() > SKEW_MAX {
                let direction = if skew > TimeDelta::zero() {
                    "ahead of"
                } else {
                    "behind"
                };
                report.failed(
                    "clock",
                    format!(
                        "this host is {} s {direction} Google's clock",
                        skew.abs().num_seconds()
                    ),
                    "set the clock by NTP (Debian: systemd-timesyncd)",
                );
            } else {
                report.ok("clock", "within seconds of Google's");
            }
        }
        Err(error) => report.skipped("clock", format!("Google is unavailable: {error}")),
    }
}

pub async fn scopes(report: &mut Report, conn: &mut PgConnection) -> sqlx::Result<()> {
    let granted = health::granted_scopes(conn).await?;
    let count = |test: fn(&[String]) -> bool| -> i64 {
        granted
            .iter()
            .filter(|(scopes, _)| test(scopes))
            .map(|(_, connections)| connections)
            .sum()
    };
    let all = count(|_| true);
    let without = count(|scopes| !sync::connections::has_calendar_access(scopes));
    let read_only = count(|scopes| {
        sync::connections::has_calendar_access(scopes) && !google::scopes::allows_event_writes(scopes)
    });
    if all == 0 {
        report.ok("scopes", "no account is connected yet");
    } else if without == all {
        report.failed(
            "scopes",
            format!("none of {all} connected accounts may read a calendar"),
            "add the calendar scopes to the consent screen (docs/setup-google.md), and let users connect again with the calendar ticked",
        );
    } else {
        report.ok(
            "scopes",
            format!("{all} accounts connected; {without} without calendar access, {read_only} read-only"),
        );
    }
    Ok(())
}

/// Google does not publish the mode of a consent screen, but in Testing mode every grant ends after seven days.
pub async fn consent_screen(
    report: &mut Report,
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let lives = health::grant_lives(conn, now).await?;
    if lives.ended_at_seven_days > 0 && lives.outlived == 0 {
        report.failed(
            "consent-screen",
            format!(
                "{} of {} ended grants lasted seven days, and none lasted longer: the screen is in Testing mode",
                lives.ended_at_seven_days, lives.ended
            ),
            "publish the app: Google Cloud console, OAuth consent screen; then let users connect again",
        );
    } else if lives.outlived > 0 {
        report.ok(
            "consent-screen",
            format!(
                "{} grants have lasted longer than Testing mode allows",
                lives.outlived
            ),
        );
    } else {
        report.ok(
            "consent-screen",
            "no grant is older than a week yet; in Testing mode grants end after a week",
        );
    }
    Ok(())
}

pub async fn channels(
    report: &mut Report,
    conn: &mut PgConnection,
    config: &Config,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let address = config.sync.settings().webhook_address();
    let watching = health::watching(conn, now, address.as_ref().map(url::Url::as_str)).await?;
    let polled = watching.selected - watching.watchable;
    let found = format!(
        "{} calendars: {} of {} that support push are watched, {polled} are polled",
        watching.selected, watching.watched, watching.watchable
    );
    if address.is_none() {
        report.ok("channels", format!("{} calendars, all polled", watching.selected));
    } else if watching.unwatched > 0 {
        report.failed(
            "channels",
            found,
            "start watch-renewer; if it runs, its log has Google's error",
        );
    } else if watching.silent > 0 {
        report.failed(
            "channels",
            format!("{found}; {} delivered no push although the calendar changed", watching.silent),
            "pushes do not arrive: fix certificate, robots.txt and webhook above, or the firewall in front of them",
        );
    } else {
        report.ok("channels", found);
    }
    Ok(())
}

pub async fn quota(report: &mut Report, conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    let quota = health::quota(conn, now).await?;
    let most = i64::from(sync::quota::PROJECT_PER_MINUTE);
    let found = format!(
        "{} of {most} units in the last minute, {} users paused",
        quota.used, quota.users_paused
    );
    if let Some(until) = quota.project_paused_until {
        report.failed(
            "quota",
            format!("Google rejects all calls until {}", until.format("%H:%M:%S")),
            "wait; if it happens again, request more: Google Cloud console, Google Calendar API, Quotas",
        );
    } else if quota.used * 10 > most * 9 {
        report.failed(
            "quota",
            found,
            "request more: Google Cloud console, Google Calendar API, Quotas",
        );
    } else {
        report.ok("quota", found);
    }
    Ok(())
}
