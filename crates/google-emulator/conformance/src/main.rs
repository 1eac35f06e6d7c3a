//! `google-check`: see its `--help`, and docs/contributing.md.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use google_conformance::authorize::{Browser, GivenTokens};
use google_conformance::check::{self, Options};
use google_conformance::report::Outcome;
use google_conformance::target::{OAuthClient, Pace};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// Checks Calwire's beliefs about Google Calendar against a real account.
///
/// Makes a scratch calendar in the account, runs every case of crates/google-emulator/conformance that can run there, deletes
/// the calendar, and writes a report that can be sent: without addresses, tokens, and the titles of the account's own events
/// and calendars. Other calendars are only read, unless --primary-calendar is given. A run takes some ten minutes; Ctrl-C ends
/// it, cleans up and writes the report. The next run deletes what a run that was killed left behind.
///
/// The OAuth client is that of the product (GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET). Its redirect URIs must have
/// http://127.0.0.1:8765/ (--redirect-port), unless it is of the type "desktop app". Instead of signing in by the browser,
/// give a token: GOOGLE_CHECK_REFRESH_TOKEN or GOOGLE_CHECK_ACCESS_TOKEN, with the scope
/// <https://www.googleapis.com/auth/calendar>, and GOOGLE_CHECK_SECOND_… for the second account.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(name = "cargo xtask google-check", bin_name = "cargo xtask google-check")]
struct Args {
    /// The address of the Google account that gets the scratch calendar.
    #[arg(long, value_name = "EMAIL", required_unless_present = "list")]
    account: Option<String>,
    /// Also run the cases that need the account's primary calendar: birthdays, guests, a move to another calendar. They
    /// add events in 2028 and 2029, which are deleted afterwards. Only the second account may get mail about them.
    #[arg(long)]
    primary_calendar: bool,
    /// A second account, for the cases with a guest. Its primary calendar gets invitations, which are deleted afterwards.
    #[arg(long, value_name = "EMAIL", requires = "primary_calendar")]
    second_account: Option<String>,
    /// A public https address that forwards to --listen, for the cases with pushes.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where pushes arrive on this machine.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8766")]
    listen: SocketAddr,
    /// The account is one of Google Workspace with focus time, out of office and working locations.
    #[arg(long, requires = "primary_calendar")]
    workspace: bool,
    /// Also check the ids of a series that is split in Google's page. The run begins with instructions for a person.
    #[arg(long)]
    split_series: bool,
    /// Run only cases whose id begins so; may be given several times.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// List the cases.
    #[arg(long)]
    list: bool,
    /// The report.
    #[arg(long, value_name = "FILE", default_value = "google-check.md")]
    report: PathBuf,
    /// Pause before each call, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 300)]
    pause: u64,
    /// The port of the redirect after signing in.
    #[arg(long, value_name = "PORT", default_value_t = 8765)]
    redirect_port: u16,
    /// An emulator instead of Google.
    #[arg(long, value_name = "URL", env = "GOOGLE_BASE_URL")]
    base_url: Option<String>,
    #[arg(long, env = "GOOGLE_CLIENT_ID", hide = true, default_value = "")]
    client_id: String,
    #[arg(
        long,
        env = "GOOGLE_CLIENT_SECRET",
        hide = true,
        hide_env_values = true,
        default_value = ""
    )]
    client_secret: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the run was not interrupted, every case of it holds, and nothing is left behind.
async fn run(args: Args) -> Result<bool> {
    if args.list {
        for case in check::chosen(&args.only)? {
            println!("{:<42} {:?}: {}", case.id, case.verified, case.title);
        }
        return Ok(true);
    }
    let path = args.report.clone();
    let save = |text: &str| {
        std::fs::write(&path, text).with_context(|| format!("cannot write the report to {}", path.display()))
    };
    let (report, text) = check::run(&options(args)?, interrupted(), save).await?;
    // Better in the terminal than lost.
    save(&text).inspect_err(|_| println!("{text}"))?;
    println!("{}\nThe report is in {}", report.summary(), path.display());
    let interrupted = report.count(|outcome| matches!(outcome, Outcome::NotRun));
    Ok(report.differences() == 0 && report.left.is_empty() && interrupted == 0)
}

fn options(args: Args) -> Result<Options> {
    anyhow::ensure!(
        !args.client_id.is_empty() && !args.client_secret.is_empty(),
        "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are missing; docs/setup-google.md says how to create them"
    );
    let base_url = args.base_url.filter(|url| !url.is_empty());
    let base_url = base_url
        .map(|url| Url::parse(&url))
        .transpose()
        .context("--base-url is no URL")?;
    Ok(Options {
        account: args.account.context("--account is missing")?,
        tokens: given(""),
        second_account: args.second_account,
        second_tokens: given("SECOND_"),
        public_url: args.public_url,
        listen: args.listen,
        workspace: args.workspace,
        primary_calendar: args.primary_calendar,
        person: args.split_series,
        ask: |text| println!("\n>> {text}\n"),
        only: args.only,
        base_url,
        client: OAuthClient {
            id: args.client_id,
            secret: args.client_secret.into(),
        },
        browser: Browser {
            port: args.redirect_port,
            show: |url, email| println!("Open this in a browser and sign in as {email}:\n\n  {url}\n"),
        },
        pace: Pace {
            pause: Duration::from_millis(args.pause),
            ..Pace::GENTLE
        },
    })
}

fn given(which: &str) -> GivenTokens {
    let token = |kind: &str| {
        let value = std::env::var(format!("GOOGLE_CHECK_{which}{kind}_TOKEN"));
        value
            .ok()
            .filter(|value| !value.is_empty())
            .map(SecretString::from)
    };
    GivenTokens {
        access: token("ACCESS"),
        refresh: token("REFRESH"),
    }
}

/// Resolves at Ctrl-C or SIGTERM. Later signals are ignored: the clean-up must finish.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("Interrupted. The clean-up may take some minutes; let it finish");
}
