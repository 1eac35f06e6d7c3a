//! Observability: logs in one format for all services, [`metrics`] and [`trace`]s.
//!
//! A message is readable alone and has dotted fields (`calendar.id`, `duration_ms`). A failure is logged once,
//! where it is handled. Tokens, e-mail addresses and event titles are never logged.

pub mod metrics;
pub mod trace;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Crates that log secrets or whole response bodies at `debug`: they stay at `info` unless `RUST_LOG` names them.
const QUIET: [&str; 4] = [
    "yup_oauth2=info",
    "google_apis_common=info",
    "hyper_util=info",
    "sqlx=warn",
];

/// Installs the subscriber. `RUST_LOG` filters the log as usual (default `info`); `LOG_FORMAT=json` writes one JSON object
/// per line, anything else writes for people. Traces are exported with `OTEL_EXPORTER_OTLP_ENDPOINT` until the returned value is
/// dropped.
pub fn init(service: &'static str) -> trace::Exporting {
    let format = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // When the reader of stderr is gone, writing fails, and reporting that would panic. The service continues without a
        // log.
        .log_internal_errors(false);
    let logs: Box<dyn Layer<Registry> + Send + Sync> =
        if std::env::var("LOG_FORMAT").is_ok_and(|format| format == "json") {
            format.json().flatten_event(true).with_filter(filter()).boxed()
        } else {
            format.with_target(true).with_filter(filter()).boxed()
        };
    let (exporting, problem) = match trace::exporter(service) {
        Ok(exporting) => (exporting, None),
        Err(problem) => (trace::Exporting::off(), Some(problem)),
    };
    let traces = exporting.layer(service);
    tracing_subscriber::registry().with(logs).with(traces).init();
    if let Some(problem) = problem {
        tracing::error!(error = problem, "Could not set up the export of traces");
    }
    exporting
}

fn filter() -> EnvFilter {
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
    filter
}
