//! The emulator as a program: see `google-emulator --help`.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;
use google_emulator::clock::Clock;
use google_emulator::{Client, Config, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Seed, Settings};
use tracing_subscriber::EnvFilter;

/// A faithful Google OAuth 2 and Calendar v3 with push notifications and scripted faults, in memory.
///
/// Point a client's base URLs at the address that is printed: OAuth at /o/oauth2/v2/auth, /token, /revoke and
/// /oauth2/v3/userinfo, Calendar at /calendar/v3/. A page for people is at /, the admin API for tests under /_emulator/.
#[derive(Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "command line switches")]
struct Args {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8085, env = "GOOGLE_EMULATOR_PORT")]
    port: u16,
    /// Address to listen on. The admin API has no authentication: think before opening it to others.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), env = "GOOGLE_EMULATOR_HOST")]
    host: IpAddr,
    /// Address and port in one, instead of --host and --port.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["host", "port"])]
    listen: Option<SocketAddr>,
    /// Accounts and calendars from a .json or .ics file; may be given several times. Without it: alice, bob and carol
    /// @example.com with a month of events around today.
    #[arg(long, value_name = "FILE")]
    seed: Vec<PathBuf>,
    /// Start with the demo's accounts, also beside --seed.
    #[arg(long)]
    demo: bool,
    /// Start without any account; add some at /_emulator/seed.
    #[arg(long, conflicts_with_all = ["seed", "demo"])]
    empty: bool,
    /// OAuth client id.
    #[arg(long, default_value = DEFAULT_CLIENT_ID, env = "GOOGLE_CLIENT_ID")]
    client_id: String,
    /// OAuth client secret.
    #[arg(long, default_value = DEFAULT_CLIENT_SECRET, env = "GOOGLE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Registered redirect URI, compared exactly; may be given several times. Without it any http:// address of this
    /// machine is accepted.
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// Accept every redirect URI.
    #[arg(long)]
    any_redirect: bool,
    /// Send pushes to http:// addresses too. Google refuses them.
    #[arg(long)]
    allow_http_callbacks: bool,
    /// Largest page of a list, whatever maxResults is.
    #[arg(long, value_name = "N")]
    page_size: Option<usize>,
    /// Longest life of a push channel in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().max_channel_seconds)]
    max_channel_seconds: i64,
    /// Send the sync message before the watch call is answered.
    #[arg(long)]
    sync_before_watch_answer: bool,
    /// Refresh tokens die after 7 days, as with a consent screen in "Testing".
    #[arg(long)]
    testing_mode: bool,
    /// Enforce Google's quota: 600 calls a minute for a user, 10,000 for all.
    #[arg(long)]
    quota: bool,
    /// Seed of the scripted faults.
    #[arg(long, default_value_t = 0)]
    fault_seed: u64,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run(Args::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    tracing::info!("Zone rules: {}", zones::data());
    let emulator = Emulator::start(config(args)?).await?;
    tracing::info!(
        "Google emulator at {}/ (admin API under /_emulator/)",
        emulator.base_url()
    );
    Ok(emulator.run_until_stopped().await?)
}

fn config(args: Args) -> Result<Config, google_emulator::seed::SeedError> {
    let mut seed = Seed::default();
    for path in &args.seed {
        seed.merge(Seed::from_path(path)?);
    }
    if args.demo || (args.seed.is_empty() && !args.empty) {
        seed.merge(Seed::demo(Clock::default().now().date_naive()));
    }
    let client = Client {
        id: args.client_id,
        secret: args.client_secret,
        redirect_uris: args.redirect_uri,
        any_redirect: args.any_redirect,
    };
    let settings = Settings {
        fault_seed: args.fault_seed,
        max_page_size: args.page_size,
        max_channel_seconds: args.max_channel_seconds,
        sync_before_watch_answer: args.sync_before_watch_answer,
        testing_mode: args.testing_mode,
        quota: args.quota.then(Default::default),
        ..Settings::default()
    };
    let listen = args.listen.unwrap_or(SocketAddr::from((args.host, args.port)));
    Ok(Config {
        listen,
        seed,
        client,
        allow_http_callbacks: args.allow_http_callbacks,
        settings,
    })
}
