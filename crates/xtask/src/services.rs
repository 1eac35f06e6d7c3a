//! The environment of each program. `.env.example` explains the variables.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use provision::front::origin;

use crate::ports::Ports;
use crate::secrets::Secrets;
use crate::stack::{Keys, Stack};

pub const PACKAGES: [&str; 4] = [
    "calendar-api",
    "webhook-ingest",
    "watch-renewer",
    "google-emulator",
];

/// The issuer and audience of the demo's tokens.
const AUTH_ISSUER: &str = "calwire-demo";
const AUTH_AUDIENCE: &str = "calwire";
/// The OAuth client of the emulator and the services.
const DEMO_CLIENT_ID: &str = "calwire-demo.apps.googleusercontent.com";
const DEMO_CLIENT_SECRET: &str = "calwire-demo-client-secret";

/// The paths of the programs.
pub struct Binaries {
    pub api: PathBuf,
    pub ingest: PathBuf,
    pub renewer: PathBuf,
    pub emulator: PathBuf,
}

/// Which Google the stack talks to.
#[derive(Debug, Clone)]
pub enum Google {
    Emulator,
    /// The real one, with an OAuth client from the environment.
    Real {
        client_id: String,
        client_secret: String,
    },
}

impl Google {
    /// Real Google when `GOOGLE_CLIENT_ID` and `GOOGLE_CLIENT_SECRET` are set.
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match (set("GOOGLE_CLIENT_ID"), set("GOOGLE_CLIENT_SECRET")) {
            (Some(client_id), Some(client_secret)) => Self::Real {
                client_id,
                client_secret,
            },
            _ => Self::Emulator,
        }
    }
}

/// The content of `stack.json`.
pub fn stack(ports: &Ports, secrets: &Secrets, google: &Google, database_url: String) -> Stack {
    let emulator_url = matches!(google, Google::Emulator).then(|| origin(ports.emulator));
    Stack {
        api_url: origin(ports.api),
        webhook_url: format!("{}/api/calendar/webhook", origin(ports.webhook)),
        centrifugo_ws_url: format!("ws://localhost:{}/connection/websocket", ports.centrifugo),
        centrifugo_api_url: format!("http://127.0.0.1:{}/api", ports.centrifugo_api),
        database_url,
        web_url: origin(ports.web),
        emulator_url,
        keys: Keys {
            centrifugo_api_key: secrets.centrifugo_api_key.clone(),
            centrifugo_token_secret: secrets.centrifugo_token_secret.clone(),
            auth_hs256_secret: secrets.auth_hs256_secret.clone(),
            auth_issuer: AUTH_ISSUER.into(),
            auth_audience: AUTH_AUDIENCE.into(),
        },
        users: crate::stack::USERS.map(String::from).to_vec(),
    }
}

pub struct Services<'a> {
    pub binaries: &'a Binaries,
    pub ports: &'a Ports,
    pub secrets: &'a Secrets,
    pub google: &'a Google,
    pub stack: &'a Stack,
    /// Origins of pages beside the demo's.
    pub origins: &'a [String],
}

impl Services<'_> {
    /// The origins that may call the API and open sockets.
    pub fn page_origins(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.stack.web_url)
            .chain(self.origins)
            .map(String::as_str)
    }

    pub fn emulator(&self) -> Command {
        let mut command = Command::new(&self.binaries.emulator);
        command
            .args([
                "--listen",
                &local(self.ports.emulator),
                "--demo",
                "--allow-http-callbacks",
            ])
            .env("GOOGLE_CLIENT_ID", DEMO_CLIENT_ID)
            .env("GOOGLE_CLIENT_SECRET", DEMO_CLIENT_SECRET);
        command
    }

    pub fn migrate(&self) -> Command {
        let mut command = self.service(&self.binaries.api, self.ports.api);
        command.arg("migrate");
        if !std::io::stdout().is_terminal() {
            command.env("NO_COLOR", "1");
        }
        command
    }

    pub fn api(&self) -> Command {
        self.service(&self.binaries.api, self.ports.api)
    }

    pub fn ingest(&self) -> Command {
        self.service(&self.binaries.ingest, self.ports.webhook)
    }

    pub fn renewer(&self) -> Command {
        self.service(&self.binaries.renewer, self.ports.renewer)
    }

    fn service(&self, binary: &Path, port: u16) -> Command {
        let (stack, secrets) = (self.stack, self.secrets);
        let mut command = Command::new(binary);
        command
            .env("LISTEN_ADDR", local(port))
            .env("DATABASE_URL", &stack.database_url)
            .env("API_URL", &stack.api_url)
            .env("APP_ORIGINS", self.page_origins().collect::<Vec<_>>().join(","))
            .env("CENTRIFUGO_API_URL", &stack.centrifugo_api_url)
            .env("CENTRIFUGO_API_KEY", &secrets.centrifugo_api_key)
            .env("CENTRIFUGO_TOKEN_SECRET", &secrets.centrifugo_token_secret)
            .env("TOKEN_KEYS", &secrets.token_keys)
            .env("AUTH_ALGORITHM", "HS256")
            .env("AUTH_HS256_SECRET", &secrets.auth_hs256_secret)
            .env("AUTH_ISSUER", AUTH_ISSUER)
            .env("AUTH_AUDIENCE", AUTH_AUDIENCE);
        match self.google {
            Google::Emulator => self.emulated_google(&mut command),
            Google::Real {
                client_id,
                client_secret,
            } => {
                command
                    .env("GOOGLE_CLIENT_ID", client_id)
                    .env("GOOGLE_CLIENT_SECRET", client_secret);
            }
        }
        command
    }

    fn emulated_google(&self, command: &mut Command) {
        command
            .env("GOOGLE_CLIENT_ID", DEMO_CLIENT_ID)
            .env("GOOGLE_CLIENT_SECRET", DEMO_CLIENT_SECRET)
            .env("GOOGLE_BASE_URL", origin(self.ports.emulator))
            // Real Google cannot reach this machine, so only the emulator gets a public URL.
            .env("PUBLIC_URL", origin(self.ports.web));
    }
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
