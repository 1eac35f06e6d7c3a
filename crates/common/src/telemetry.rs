//! Logs: one grammar for all services.
//!
//! A message is readable alone and carries dotted fields (`calendar.id`, `duration_ms`). A failure is logged once,
//! where it is handled. Tokens, e-mail addresses and event titles are never logged.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Crates that log secrets or whole response bodies at `debug`: they stay at `info` unless `RUST_LOG` names them.
const QUIET: [&str; 4] = [
    "yup_oauth2=info",
    "google_apis_common=info",
    "hyper_util=info",
    "sqlx=warn",
];

/// Installs the subscriber. `RUST_LOG` filters as usual (default `info`); `LOG_FORMAT=json` writes one JSON object a
/// line, anything else writes for people.
pub fn init() {
    let mut filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let named = std::env::var("RUST_LOG").unwrap_or_default();
    for directive in QUIET {
        let target = directive.split('=').next().unwrap_or(directive);
        if let (false, Ok(directive)) = (named.contains(target), directive.parse()) {
            filter = filter.add_directive(directive);
        }
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // When whoever reads the log is gone, writing fails, and so would the report of that: by a panic, in the midst
        // of work. A service goes on without a log.
        .log_internal_errors(false);
    if std::env::var("LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_target(true).init();
    }
}
