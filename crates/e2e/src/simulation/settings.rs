//! The settings of the simulated services.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use google::{Endpoints, GoogleConfig};
use google_emulator::Emulator;

use super::broker::{self, RecordingBroker};
use super::database::SimulatedDatabase;
use crate::rpc::{AUTH_AUDIENCE, AUTH_ISSUER, AUTH_SECRET};

pub const KEYS: &str = "1:q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
const WEBHOOK: &str = "http://127.0.0.1:9/api/calendar/webhook";
/// A write waits for its first attempt even on a busy machine; further attempts are answered "pending".
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

pub fn settings() -> Result<sync::Settings> {
    Ok(sync::Settings {
        webhook_url: Some(WEBHOOK.parse()?),
        write_deadline: WRITE_DEADLINE,
        ..sync::Settings::default()
    })
}

pub fn google_config(google: &Emulator) -> Result<GoogleConfig> {
    let client = google.client().clone();
    let mut config = GoogleConfig::new(client.id, client.secret.into());
    config.timeout = Duration::from_secs(20);
    config.endpoints = Endpoints::at(&google.base_url().parse()?);
    Ok(config)
}

/// The environment of calendar-api.
pub fn environment(
    database: &SimulatedDatabase,
    google: &Emulator,
    broker: &RecordingBroker,
) -> BTreeMap<String, String> {
    let client = google.client();
    [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_MAX_CONNECTIONS", "3".to_owned()),
        ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
        ("GOOGLE_CLIENT_ID", client.id.clone()),
        ("GOOGLE_CLIENT_SECRET", client.secret.clone()),
        ("GOOGLE_BASE_URL", google.base_url().to_owned()),
        ("WEBHOOK_URL", WEBHOOK.to_owned()),
        ("CENTRIFUGO_API_URL", broker.url().into()),
        ("CENTRIFUGO_API_KEY", broker::API_KEY.to_owned()),
        (
            "CENTRIFUGO_TOKEN_SECRET",
            "simulation-token-secret-0123456789abcdef".to_owned(),
        ),
        ("TOKEN_KEYS", KEYS.to_owned()),
        ("AUTH_HS256_SECRET", AUTH_SECRET.to_owned()),
        ("AUTH_ISSUER", AUTH_ISSUER.to_owned()),
        ("AUTH_AUDIENCE", AUTH_AUDIENCE.to_owned()),
        ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
