//! The metrics of calls. docs/metrics.md explains each.

use std::time::Duration;

use common::telemetry::metrics::{Kind, Metric, SECONDS, Sample};
use rpc::Code;

const RPC: Metric = Metric::new(
    "calwire_rpc_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("procedure", &[]), ("code", &[])],
    "Duration of calls by procedure (unknown if there is none) and code (OK, or the error's)",
);

const EVENTS_ANSWERED: Metric = Metric::new(
    "calwire_event_reads_total",
    Kind::Counter,
    &[("from", &["cache", "statement", "transaction"])],
    "Reads of a user's events: from a kept answer that still holds, from one shared statement, or from a transaction of its own",
);
const KEPT_ANSWERS: Metric = Metric::new(
    "calwire_kept_answers_bytes",
    Kind::Gauge,
    &[],
    "Size of the answers that are kept",
);

const STATEMENTS: Metric = Metric::new(
    "calwire_read_statements_total",
    Kind::Counter,
    &[],
    "Statements for reads; those that are in flight together share one",
);

pub const METRICS: &[Metric] = &[RPC, EVENTS_ANSWERED, KEPT_ANSWERS, STATEMENTS];

/// How a read of events was answered.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AnsweredFrom {
    /// A kept answer. Its freshness, and whether it holds, are from a shared statement.
    Cache,
    Statement,
    Transaction,
}

pub fn answered(from: AnsweredFrom) {
    EVENTS_ANSWERED.count(&[from.into()]);
}

pub fn read_statement() {
    STATEMENTS.count(&[]);
}

/// The size of the answers that are kept.
pub fn kept_answers(bytes: u64) -> Vec<Sample> {
    #[expect(clippy::cast_precision_loss, reason = "less memory than 2^52 bytes")]
    let bytes = bytes as f64;
    vec![Sample::new(&KEPT_ANSWERS, &[], bytes)]
}

pub fn called(procedure: &'static str, failed: Option<Code>, duration: Duration) {
    RPC.took(&[procedure, failed.map_or("OK", Code::name)], duration);
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions() {
        common::telemetry::metrics::check(super::METRICS).unwrap();
    }
}
