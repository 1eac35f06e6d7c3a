//! `calendar-api`: the service, and the admin commands of an installation. See `--help`.

use std::process::ExitCode;

use anyhow::bail;
use calendar_api::admin::{self, DatabaseConfig, Record};
use calendar_api::{Application, LISTEN_ADDR, NAME, doctor};
use clap::{Parser, Subcommand};
use common::clock::Clock;
use common::config::from_env;
use common::service;
use common::worker::stop_on_signal;
use secrecy::SecretString;
use serde::Deserialize;
use store::seal::Keyring;

/// Calwire's API for browsers: tRPC at /trpc, oRPC at /rpc, the Google connect flow; and the admin commands.
///
/// Configured by environment variables; .env.example describes each. A secret NAME may be given as NAME_FILE, the path of a
/// file.
#[derive(Parser)]
#[command(version, after_help = "docs/operations.md explains when to use which.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default).
    Serve,
    /// Exit with 0 if the service at LISTEN_ADDR is ready, for container health checks.
    Health,
    /// Bring the database's schema up to date, then exit.
    ///
    /// Needs DATABASE_URL only. Safe to run several times at once: one migrates, the others wait. Services of the previous
    /// version keep working with the new schema.
    Migrate,
    /// Check the whole installation: one line per part, ✓ or ✗ with a remedy. Exits with 1 if anything is wrong.
    ///
    /// Sends requests to Postgres, Centrifugo, Google and the public address; changes nothing. Run it with the environment of
    /// calendar-api.
    Doctor {
        /// Print JSON: {"findings": [{"check", "outcome": "ok" | "failed" | "skipped", "found", "remedy"?}]}.
        #[arg(long)]
        json: bool,
    },
    /// Reseal all tokens with the first key of TOKEN_KEYS, while the services run.
    ///
    /// Before: put the new key in front of the others in TOKEN_KEYS and restart every service. After: remove the old key and
    /// restart them again. May be interrupted and run again. Needs DATABASE_URL and TOKEN_KEYS. Exits with 1 while a token is
    /// sealed with another key.
    RotateKeys,
    /// After restoring a backup: restart every user's stream, so that no browser shows older data.
    ///
    /// `migrate` does this by itself where Postgres shows that the data was restored. Harmless when not needed: every browser
    /// reloads once, and every calendar is pulled once. Needs DATABASE_URL only.
    Restored,
    /// Inspect a user of your application.
    #[command(subcommand)]
    Users(Show),
    /// Inspect a user's connection to a Google account.
    #[command(subcommand)]
    Connections(Show),
    /// Inspect a calendar of a connection.
    #[command(subcommand)]
    Calendars(Show),
}

#[derive(Subcommand)]
enum Show {
    /// Its states, times and counts. No titles, no addresses, no tokens. Needs DATABASE_URL only.
    Show {
        /// The id, as in the API and in the output of `users show`.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command.unwrap_or(Command::Serve) {
        Command::Health => service::health(NAME, LISTEN_ADDR),
        command => service::run(NAME, run(command)),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve | Command::Health => serve().await?,
        Command::Migrate => admin::migrate(&database().await?, &Clock::system()).await?,
        Command::Doctor { json } => return examine(json).await,
        Command::RotateKeys => rotate_keys().await?,
        Command::Restored => admin::restored(&database().await?, &Clock::system()).await?,
        Command::Users(command) => show(Record::User, command).await?,
        Command::Connections(command) => show(Record::Connection, command).await?,
        Command::Calendars(command) => show(Record::Calendar, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve() -> anyhow::Result<()> {
    let config = from_env()?;
    let stop = stop_on_signal();
    Application::build(config).await?.run_until_stopped(stop).await
}

async fn database() -> anyhow::Result<sqlx::PgPool> {
    let config: DatabaseConfig = from_env()?;
    config.connect().await
}

async fn examine(json: bool) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(from_env(), &Clock::system()).await;
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
    let config: RotateConfig = from_env()?;
    let database = DatabaseConfig {
        database_url: config.database_url,
    };
    let pool = database.connect().await?;
    let mut progress = |done, all| println!("{done} of {all} accounts");
    let rotated = admin::rotate_keys(&pool, &config.token_keys, &mut progress).await?;
    let primary = config.token_keys.primary_id();
    println!("{} accounts resealed with key {primary}", rotated.resealed);
    if !rotated.unreadable.is_empty() {
        bail!(
            "{} accounts are unchanged: they are sealed with a key that TOKEN_KEYS lacks, or damaged; the log lists them",
            rotated.unreadable.len()
        );
    }
    if rotated.left > 0 {
        bail!(
            "{} accounts were sealed with an older key during the rotation: put key {primary} first in every service's \
             TOKEN_KEYS, restart the services, and run this again",
            rotated.left
        );
    }
    Ok(())
}

async fn show(record: Record, Show::Show { id, json }: Show) -> anyhow::Result<()> {
    let value = admin::show(&database().await?, record, &id).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        print!("{}", admin::text(&value));
    }
    Ok(())
}
