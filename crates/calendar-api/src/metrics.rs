//! The metrics of calls. docs/metrics.md explains each.

use std::time::Duration;

use common::telemetry::metrics::{Kind, Metric, SECONDS};
use rpc::Code;

const RPC: Metric = Metric::new(
    "calwire_rpc_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("procedure", &[]), ("code", &[])],
    "Duration of calls by procedure (unknown if there is none) and code (OK, or the error's)",
);

pub const METRICS: &[Metric] = &[RPC];

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
