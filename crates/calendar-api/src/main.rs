//! `calendar-api`: the service, and what whoever runs an installation does with it. See `--help`.

use std::process::ExitCode;

use anyhow::bail;
use calendar_api::admin::{self, DatabaseConfig, Shown};
use calendar_api::{Application, Config, HealthConfig, doctor};
use clap::{Parser, Subcommand};
use common::clock::Clock;
use common::worker::stop_on_signal;
use secrecy::SecretString;
use serde::Deserialize;
use store::seal::Keyring;

/// Calwire's API for browsers: tRPC at /trpc, oRPC at /rpc-v1, the Google connect flow; and the care of an installation.
///
/// Configured by environment variables; .env.example describes each of them. A secret NAME may be given as NAME_FILE, the
/// path of a file.
#[derive(Parser)]
#[command(version, after_help = "docs/operations.md tells when to use which.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default).
    Serve,
    /// End with 0 if the service at LISTEN_ADDR is ready, for container health checks.
    Health,
    /// Bring the database's schema up to date, then end.
    ///
    /// Needs DATABASE_URL only. Safe to run several times at once: one works, the others wait. Services of the version before
    /// go on with the new schema.
    Migrate,
    /// Examine the whole installation: one line for each part, ✓ or ✗ with what to do. Ends with 1 if anything is wrong.
    ///
    /// Asks Postgres, Centrifugo, Google and the public address; changes nothing. Run it with the environment of calendar-api.
    Doctor {
        /// Answer as JSON: {"findings": [{"check", "outcome": "ok" | "failed" | "skipped", "found", "remedy"?}]}.
        #[arg(long)]
        json: bool,
    },
    /// Seal all tokens with the first key of TOKEN_KEYS, while the services go on.
    ///
    /// Before: put the new key in front of the others in TOKEN_KEYS and restart every service. After: take the old key out and
    /// restart them again. May be broken off and run again. Needs DATABASE_URL and TOKEN_KEYS. Ends with 1 while a token is
    /// left on another key.
    RotateKeys,
    /// After a backup was brought back: begin every user's stream anew, so that no browser stays behind.
    ///
    /// `migrate` does this by itself where Postgres tells that the data has moved. Harmless when run without need: every
    /// browser loads once, and Google is asked once for every calendar. Needs DATABASE_URL only.
    Restored,
    /// Look at a user of your application.
    #[command(subcommand)]
    Users(Show),
    /// Look at the connection of a user to a Google account.
    #[command(subcommand)]
    Connections(Show),
    /// Look at a calendar of a connection.
    #[command(subcommand)]
    Calendars(Show),
}

#[derive(Subcommand)]
enum Show {
    /// How it is kept: states, times, counts. No titles, no addresses, no tokens. Needs DATABASE_URL only.
    Show {
        /// As `users show` and the API name it.
        id: String,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let _traces = common::telemetry::init("calendar-api");
    match actix_web::rt::System::new().block_on(run(cli.command.unwrap_or(Command::Serve))) {
        Ok(code) => code,
        Err(error) => {
            // One line for people, whatever LOG_FORMAT is.
            eprintln!("calendar-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => serve().await?,
        Command::Health => health().await?,
        Command::Migrate => admin::migrate(&database().await?, &Clock::system()).await?,
        Command::Doctor { json } => return examine(json).await,
        Command::RotateKeys => rotate_keys().await?,
        Command::Restored => admin::restored(&database().await?, &Clock::system()).await?,
        Command::Users(command) => show(Shown::User, command).await?,
        Command::Connections(command) => show(Shown::Connection, command).await?,
        Command::Calendars(command) => show(Shown::Calendar, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve() -> anyhow::Result<()> {
    let config: Config = common::config::from_env()?;
    let stop = stop_on_signal();
    Application::build(config).await?.run_until_stopped(stop).await
}

async fn health() -> anyhow::Result<()> {
    let config: HealthConfig = common::config::from_env()?;
    common::http::probe(config.listen_addr)
        .await
        .map_err(anyhow::Error::msg)
}

async fn database() -> anyhow::Result<sqlx::PgPool> {
    let config: DatabaseConfig = common::config::from_env()?;
    config.connect().await
}

async fn examine(json: bool) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(common::config::from_env(), &Clock::system()).await;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Deserialize)]
struct RotateConfig {
    database_url: SecretString,
    #[serde(deserialize_with = "token_keys")]
    token_keys: Keyring,
}

common::parsed!(token_keys: Keyring, "TOKEN_KEYS");

async fn rotate_keys() -> anyhow::Result<()> {
    let config: RotateConfig = common::config::from_env()?;
    let database = DatabaseConfig {
        database_url: config.database_url,
    };
    let pool = database.connect().await?;
    let mut progress = |done, all| println!("{done} of {all} accounts");
    let rotated = admin::rotate_keys(&pool, &config.token_keys, &mut progress).await?;
    let primary = config.token_keys.primary_id();
    println!("{} accounts sealed anew with key {primary}", rotated.resealed);
    if !rotated.unreadable.is_empty() {
        bail!(
            "{} accounts are sealed with a key that TOKEN_KEYS lacks, or damaged; they stay as they are, and the log names them",
            rotated.unreadable.len()
        );
    }
    if rotated.left > 0 {
        bail!(
            "{} accounts were sealed with an older key meanwhile: put key {primary} first in every service's TOKEN_KEYS, \
             restart them, and run this again",
            rotated.left
        );
    }
    Ok(())
}

async fn show(shown: Shown, Show::Show { id, json }: Show) -> anyhow::Result<()> {
    let value = admin::show(&database().await?, shown, &id).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        print!("{}", admin::text(&value));
    }
    Ok(())
}
