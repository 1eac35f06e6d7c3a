//! The metrics of pushes. docs/metrics.md explains each.

use std::time::Duration;

use common::telemetry::metrics::{Kind, Metric, SECONDS};

use crate::refusal::Refusal;

const PUSHES: Metric = Metric::new(
    "calwire_pushes_total",
    Kind::Counter,
    &[(
        "result",
        &[
            "accepted",
            "not_a_push",
            "body_too_large",
            "body_lost",
            "headers_too_large",
            "unknown_channel",
            "wrong_token",
            "wrong_resource",
            "overloaded",
            "too_many_from_source",
            "unavailable",
        ],
    )],
    "Pushes by result: accepted (committed), or why they were rejected",
);
const ANSWER: Metric = Metric::new(
    "calwire_push_answer_duration_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "Time from a push's headers to its response, which for a genuine push follows the commit",
);

pub const METRICS: &[Metric] = &[PUSHES, ANSWER];

pub(crate) fn answered(outcome: &Result<(), Refusal>, duration: Duration) {
    PUSHES.count(&[outcome.as_ref().map_or_else(Refusal::code, |()| "accepted")]);
    ANSWER.took(&[], duration);
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions() {
        common::telemetry::metrics::check(super::METRICS).unwrap();
    }
}
