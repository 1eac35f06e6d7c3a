//! An emulator as a target.

use std::net::{Ipv4Addr, SocketAddr};

use google::{Endpoints, Google};
use google_conformance::case::Need;
use google_conformance::inbox::Inbox;
use google_conformance::target::{self, Account, OAuthClient, Pace, Target};
use google_emulator::{Config, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Seed};
use serde_json::json;
use url::Url;

pub const ACCOUNT: &str = "alice@example.com";
pub const SECOND: &str = "bob@example.com";
pub const SCOPE: &str = "https://www.googleapis.com/auth/calendar";

/// Two accounts with an empty primary calendar each.
pub async fn start() -> Emulator {
    let user = |email: &str, zone: &str| {
        let calendar = json!({"id": email, "summary": email, "timeZone": zone, "primary": true});
        json!({"email": email, "name": "A Name", "calendars": [calendar]})
    };
    let seed = json!({"users": [user(ACCOUNT, "Europe/Zurich"), user(SECOND, "America/New_York")]});
    let seed = Seed::from_json("accounts", &seed.to_string()).unwrap();
    Emulator::start(Config {
        seed,
        ..Config::default()
    })
    .await
    .unwrap()
}

pub fn client() -> OAuthClient {
    OAuthClient {
        id: DEFAULT_CLIENT_ID.into(),
        secret: DEFAULT_CLIENT_SECRET.into(),
    }
}

/// The clients of an emulator; making them takes longer than a case.
pub struct Clients {
    base: Url,
    google: Google,
    http: reqwest::Client,
}

impl Clients {
    pub fn of(emulator: &Emulator) -> Self {
        let base = Url::parse(emulator.base_url()).unwrap();
        Self {
            google: target::google(&client(), &Endpoints::at(&base)).unwrap(),
            http: target::http_client(true).unwrap(),
            base,
        }
    }

    /// The emulator with all that a case may need, without a scratch calendar.
    pub fn target(&self, emulator: &Emulator) -> Target {
        let account = |email: &str| {
            let tokens = emulator.mint(email, &[SCOPE]).unwrap();
            Account::new(
                self.google.clone(),
                email.into(),
                tokens.access_token.into(),
                None,
            )
        };
        let inbox = Inbox::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).unwrap();
        Target {
            endpoints: Endpoints::at(&self.base),
            admin: Some(self.base.join("_emulator/").unwrap()),
            client: client(),
            account: account(ACCOUNT),
            second: Some(account(SECOND)),
            calendar: String::new(),
            inbox: Some(inbox),
            ask: |_| {},
            abilities: [
                Need::Emulator,
                Need::PublicUrl,
                Need::PrimaryCalendar,
                Need::Person,
                Need::SecondAccount,
                Need::Workspace,
            ]
            .into(),
            pace: Pace::IMMEDIATE,
            http: self.http.clone(),
        }
    }
}
