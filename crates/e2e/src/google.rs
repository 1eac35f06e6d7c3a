//! The emulated Google in process, and a person at its consent page.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};
use google_emulator::{Client, Config, Decision, Emulator, Seed};
use serde_json::{Value, json};
use zones::Zone;

use crate::rpc::Api;

pub const CLIENT_ID: &str = "e2e.apps.googleusercontent.com";
pub const CLIENT_SECRET: &str = "GOCSPX-e2e-client-secret-0123456789abcdef";

/// The demo's accounts. A primary calendar's id is its account's address.
pub const ALICE: &str = "alice@example.com";
pub const BOB: &str = "bob@example.com";
pub const CAROL: &str = "carol@example.com";

/// The Google account of the user of the same name.
pub fn account(user: &str) -> String {
    format!("{user}@example.com")
}

/// Google with the demo's accounts, on a free port.
pub async fn start() -> Result<Emulator> {
    let config = Config {
        seed: Seed::demo(now().date_naive()),
        client: Client {
            id: CLIENT_ID.to_owned(),
            secret: CLIENT_SECRET.to_owned(),
            ..Client::default()
        },
        allow_http_callbacks: true,
        ..Config::default()
    };
    Ok(Emulator::start(config).await?)
}

/// Adds an account of this name with these calendars, as in a seed file.
pub fn add_account(emulator: &Emulator, user: &str, calendars: &Value) -> Result<()> {
    let account = json!({"email": account(user), "name": user, "calendars": calendars});
    let seed: Seed = serde_json::from_value(json!({"users": [account]}))?;
    Ok(emulator.with(|state| state.load(&seed))?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the services under test use the real time"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The body of an event of one hour that begins in `ahead` from now, on a whole minute.
pub fn timed(summary: &str, ahead: TimeDelta, zone: &str) -> Value {
    let tz: Zone = zone.parse().unwrap_or(Zone::UTC);
    let minute = TimeDelta::seconds(now().timestamp().rem_euclid(60));
    let start = (now() - minute + ahead).with_timezone(&tz);
    let end = start + TimeDelta::hours(1);
    let time = |at: DateTime<Zone>| json!({"dateTime": at.to_rfc3339_opts(SecondsFormat::Secs, true), "timeZone": zone});
    json!({"summary": summary, "start": time(start), "end": time(end)})
}

/// The body of an all-day event of one day, `ahead` days from today in UTC.
pub fn all_day(summary: &str, ahead: u64) -> Value {
    let day = now().date_naive() + Days::new(ahead);
    json!({"summary": summary, "start": {"date": day}, "end": {"date": day + Days::new(1)}})
}

/// Takes a user through the connect flow as a browser does: the mutation's cookie, Google's consent page, the callback.
/// Returns the address at which the browser arrives. `scopes`: the ones left ticked; none: all.
pub async fn consent(
    emulator: &Emulator,
    api: &Api,
    account: &str,
    scopes: Option<&[&str]>,
) -> Result<String> {
    let response = api
        .mutation("calendar.google.connect", &Value::Null)
        .send()
        .await?;
    let cookies: Vec<_> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    let body: Value = response.json().await?;
    let url = body["result"]["data"]["url"]
        .as_str()
        .with_context(|| format!("connect: {body}"))?;
    let decision = Decision {
        user: account.to_owned(),
        scopes: scopes.map(|scopes| scopes.iter().map(|&scope| scope.to_owned()).collect()),
        deny: false,
    };
    let callback = emulator.authorize(url, &decision)?;
    let landed = api
        .http
        .get(&callback)
        .header("cookie", cookies.join("; "))
        .send()
        .await?;
    let status = landed.status();
    ensure!(
        status.is_redirection(),
        "the callback answered {status}: {}",
        landed.text().await?
    );
    let location = landed
        .headers()
        .get("location")
        .context("a redirect without a location")?;
    Ok(location.to_str()?.to_owned())
}
