//! `up`: the whole product on this machine, until Ctrl-C.

mod leftovers;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use provision::front::{Demo, Front, Site, Upstreams, origin};
use provision::postgres::{self, Cluster};
use provision::{centrifugo, port};

use crate::cargo::Profile;
use crate::ports::Ports;
use crate::secrets::Secrets;
use crate::services::{Binaries, Google, PACKAGES, Services, stack};
use crate::stack::{Stack, USERS};
use crate::supervisor::Supervisor;
use crate::{cargo, demo, http, interrupt, page, token, workspace};

/// How long the services may take to be ready.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The database of the demo, beside that of real Google.
const DEMO_DATABASE: &str = "calwire_demo";

/// The lifetime of a page's session.
const PAGE_TOKEN_LIFE: Duration = Duration::from_hours(1);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Environment:
  DATABASE_URL       use this Postgres instead of a private one under target/calwire
  CENTRIFUGO_BIN     use this Centrifugo instead of one in PATH or built with Go
  GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET
                     use real Google instead of the emulator, in polling-only mode
  CALWIRE_STATE_DIR  keep the database, the secrets and stack.json there instead of in target/calwire
  RUST_LOG           filter the services' logs, for instance info,sync=debug")]
pub struct Args {
    #[command(flatten)]
    ports: Ports,
    /// Build with optimisations.
    #[arg(long)]
    release: bool,
    /// Do not build the page: the API, the emulator and the sockets alone, without Node.js.
    #[arg(long)]
    no_page: bool,
    /// Remove the private database and the secrets of earlier runs first.
    #[arg(long)]
    fresh: bool,
    /// Let pages of this origin call the API and open sockets, beside the demo's; may be given several times.
    #[arg(long = "origin", value_name = "URL", value_parser = page_origin)]
    origins: Vec<String>,
}

/// An origin as browsers send it.
fn page_origin(text: &str) -> Result<String, &'static str> {
    let authority = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
        .unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(is_host) {
        return Err("expected scheme, host and port alone, as http://localhost:3000");
    }
    Ok(text.to_ascii_lowercase())
}

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    let state = workspace::state_dir()?;
    let _lock = lock(&state)?;
    let own_database = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
    leftovers::end(&state);
    if own_database.is_none() {
        postgres::stop_leftover(&state.join("postgres"))?;
    }
    if args.fresh {
        wipe(&state, own_database.is_some())?;
    }
    args.ports.check(own_database.is_none())?;

    let say = |line: &str| println!("{line}");
    let google = Google::from_env();
    let secrets = Secrets::load_or_make(&state)?;
    let mut postgres = match own_database {
        Some(_) => None,
        None => Some(start_postgres(&state, &args.ports, &secrets, say)?),
    };
    let database_url = match (&postgres, own_database) {
        (Some(cluster), _) => database_of(cluster, &google)?,
        (None, url) => url.unwrap_or_default(),
    };
    interrupt::check()?;
    let centrifugo = centrifugo::binary(&mut { say })?;
    interrupt::check()?;
    say("Building the services");
    let binaries = build(args.release)?;
    if !args.no_page {
        page::build_if_stale().context("the page cannot be built, and `up --no-page` goes without it")?;
    }

    let stack = stack(&args.ports, &secrets, &google, database_url);
    let services = Services {
        binaries: &binaries,
        ports: &args.ports,
        secrets: &secrets,
        google: &google,
        stack: &stack,
        origins: &args.origins,
    };
    say("Migrating the database");
    interrupt::run(&mut services.migrate())?;

    // Declared after Postgres, so dropped, and stopped, before it.
    let mut running = Supervisor::default();
    let emulated = matches!(google, Google::Emulator);
    let _front = Front::start(args.ports.web, site(&args.ports, &stack))?;
    start(&mut running, &services, &centrifugo, emulated)?;
    leftovers::record(&state, &running)?;
    wait_until_ready(&mut running, &args.ports, emulated)?;
    if let Some(url) = stack.emulator_url.as_ref().filter(|_| emulated) {
        println!("Connecting the demo's users");
        demo::connect_users(&stack, url)?;
    }
    stack.write()?;
    print_table(&stack, args, &state);
    watch(&mut running, postgres.as_mut())
}

fn start_postgres(state: &Path, ports: &Ports, secrets: &Secrets, say: impl Fn(&str)) -> Result<Cluster> {
    let binaries = postgres::Binaries::find_or_install(&mut |line| say(line))?;
    say("Starting Postgres");
    let options = postgres::ClusterOptions {
        dir: state.join("postgres"),
        port: ports.postgres,
        password: Some(secrets.postgres_password.clone()),
        durable: true,
        clock: None,
    };
    Cluster::start(&binaries, options)
}

/// The URL of the database that mirrors this Google. The emulator keeps nothing between runs, so its mirror starts empty:
/// old sync tokens and watch channels would be invalid. The mirror of real Google is kept.
fn database_of(cluster: &Cluster, google: &Google) -> Result<String> {
    match google {
        Google::Real { .. } => Ok(cluster.url()),
        Google::Emulator => {
            cluster.recreate_database(DEMO_DATABASE)?;
            Ok(cluster.url_of(DEMO_DATABASE))
        }
    }
}

/// The content of the one origin: the programs as in a deployment, the page, and its users.
fn site(ports: &Ports, stack: &Stack) -> Site {
    let keys = stack.keys.clone();
    let sign = move |user: &str| token::sign(&keys, user, PAGE_TOKEN_LIFE);
    Site {
        upstreams: Upstreams {
            api: ports.api,
            webhook: ports.webhook,
            centrifugo: ports.centrifugo,
        },
        page: page::folder(),
        demo: Demo::new(&stack.users, stack.emulator_url.clone(), sign),
    }
}

fn build(release: bool) -> Result<Binaries> {
    let profile = if release { Profile::Release } else { Profile::Debug };
    let built = cargo::build_binaries(&PACKAGES, profile)?;
    let [api, ingest, renewer, emulator] = <[PathBuf; 4]>::try_from(built)
        .map_err(|_| anyhow::anyhow!("cargo built another number of programs"))?;
    Ok(Binaries {
        api,
        ingest,
        renewer,
        emulator,
    })
}

fn start(running: &mut Supervisor, services: &Services<'_>, centrifugo: &Path, emulated: bool) -> Result<()> {
    let (ports, secrets) = (services.ports, services.secrets);
    let broker = centrifugo::CentrifugoOptions {
        config: workspace::root().join("deploy/centrifugo.json"),
        port: ports.centrifugo,
        internal_port: ports.centrifugo_api,
        api_key: secrets.centrifugo_api_key.clone(),
        token_secret: secrets.centrifugo_token_secret.clone(),
        allowed_origins: services
            .page_origins()
            .chain([services.stack.api_url.as_str()])
            .map(String::from)
            .collect(),
        redis: None,
    };
    running.start("centrifugo", &mut broker.command(centrifugo))?;
    if emulated {
        running.start("google", &mut services.emulator())?;
    }
    // The services check the broker when they start.
    port::wait_until_open(ports.centrifugo_api, READY_WITHIN, || running.check())?;
    if emulated {
        port::wait_until_open(ports.emulator, READY_WITHIN, || running.check())?;
    }
    running.start("api", &mut services.api())?;
    running.start("ingest", &mut services.ingest())?;
    running.start("renewer", &mut services.renewer())
}

fn wait_until_ready(running: &mut Supervisor, ports: &Ports, emulated: bool) -> Result<()> {
    let agent = http::agent();
    let mut waiting_for = vec![
        ("calendar-api", format!("{}/readyz", origin(ports.api))),
        ("webhook-ingest", format!("{}/readyz", origin(ports.webhook))),
        ("watch-renewer", format!("{}/readyz", origin(ports.renewer))),
    ];
    if emulated {
        waiting_for.push(("google-emulator", format!("{}/", origin(ports.emulator))));
    }
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        waiting_for.retain(|(_, url)| !http::is_ok(&agent, url));
        let Some((name, url)) = waiting_for.first() else {
            return Ok(());
        };
        running.check()?;
        interrupt::check()?;
        if Instant::now() > deadline {
            bail!(
                "{name} is not ready after {} s: {url} does not return 200",
                READY_WITHIN.as_secs()
            );
        }
        std::thread::sleep(interrupt::TICK);
    }
}

fn print_table(stack: &Stack, args: &Args, state: &Path) {
    let page = format!("{}/?user={}", stack.web_url, USERS[0]);
    let mut rows = vec![("page", page.as_str()), ("API (tRPC)", stack.api_url.as_str())];
    if let Some(url) = &stack.emulator_url {
        rows.push(("Google emulator", url));
    }
    rows.push(("webhook", &stack.webhook_url));
    rows.push(("WebSocket", &stack.centrifugo_ws_url));
    rows.push(("Centrifugo API", &stack.centrifugo_api_url));
    let postgres = format!("127.0.0.1:{}", args.ports.postgres);
    rows.push(("Postgres", &postgres));
    let state_file = state.join("stack.json");
    let state_file = state_file.to_string_lossy();
    rows.push(("all of this", &state_file));
    println!();
    for (name, value) in rows {
        println!("  {name:18}{value}");
    }
    println!(
        "\nusers: {}. A token: cargo xtask token --user alice. Stop: Ctrl-C.",
        stack.users.join(", ")
    );
    println!("ready");
}

/// Waits for a signal. Fails if a process ends before.
fn watch(running: &mut Supervisor, mut postgres: Option<&mut Cluster>) -> Result<()> {
    while !interrupt::asked() {
        running.check()?;
        if let Some(cluster) = &mut postgres
            && !cluster.is_running()
        {
            bail!("Postgres has ended; its log is {}", cluster.log_path().display());
        }
        std::thread::sleep(interrupt::TICK);
    }
    println!("Stopping");
    Ok(())
}

/// Allows one `up` for each checkout. The lock ends with the process.
fn lock(state: &Path) -> Result<File> {
    let path = state.join("up.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("`up` is running in this checkout already; stop it with Ctrl-C there")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn wipe(state: &Path, external_database: bool) -> Result<()> {
    if external_database {
        bail!(
            "--fresh wipes the private database only, and DATABASE_URL names another: unset it, or empty it yourself"
        );
    }
    postgres::wipe(&state.join("postgres"))?;
    for file in ["secrets.json", "stack.json"] {
        let path = state.join(file);
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for origin in ["http://localhost:3000", "https://app.example", "http://[::1]:80"] {
            assert_eq!(page_origin(origin).as_deref(), Ok(origin));
        }
        for other in [
            "",
            "localhost:3000",
            "https://",
            "https://app.example/",
            "https://a.example,https://b.example",
            "https://*",
        ] {
            assert!(page_origin(other).is_err(), "{other}");
        }
    }
}
