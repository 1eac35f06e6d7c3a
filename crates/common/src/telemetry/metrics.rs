//! Metrics in Prometheus' format, on a separate, internal address.
//!
//! A crate declares its [`Metric`]s in a table and records through them; without an [`Exporter`] nothing is kept. Label values
//! are `&'static str`, so no id of a user or a calendar can become one.
//!
//! A scrape has the counters of this process and [`Sample`]s that collectors take at that moment, such as the state of the
//! database. A sample that cannot be taken is missing, rather than old.

mod exporter;

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};

pub use exporter::{Exporter, Sample};

/// From a millisecond to a minute.
pub const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// Its upper bounds.
    Histogram(&'static [f64]),
    /// Median and 99th percentile of the last hour, for rare events.
    Summary,
}

/// A label, and its values if they are known beforehand. With all values known, a counter starts at zero, so that its first
/// event is visible as an increase.
pub type Dimension = (&'static str, &'static [&'static str]);

/// One metric. Its name ends in its unit, a counter's in `_total`.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [Dimension],
    pub help: &'static str,
}

static METADATA: Metadata<'static> = Metadata::new("calwire", Level::INFO, None);

impl Metric {
    pub const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [Dimension],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            labels,
            help,
        }
    }

    /// Counts one. `values` are those of `labels`, in the same order.
    pub fn count(&self, values: &[&'static str]) {
        self.add(values, 1);
    }

    pub fn add(&self, values: &[&'static str], n: u64) {
        metrics::with_recorder(|recorder| self.counter(recorder, values).increment(n));
    }

    pub fn observe(&self, values: &[&'static str], value: f64) {
        metrics::with_recorder(|recorder| self.histogram(recorder, values).record(value));
    }

    /// As [`Metric::observe`], in seconds.
    pub fn took(&self, values: &[&'static str], duration: Duration) {
        self.observe(values, duration.as_secs_f64());
    }

    pub fn set(&self, values: &[&'static str], value: f64) {
        metrics::with_recorder(|recorder| self.gauge(recorder, values).set(value));
    }

    fn key(&self, values: &[&'static str]) -> Key {
        debug_assert_eq!(values.len(), self.labels.len(), "the labels of {}", self.name);
        let labels: Vec<Label> = self
            .labels
            .iter()
            .zip(values)
            .map(|((name, _), value)| Label::from_static_parts(name, value))
            .collect();
        Key::from_parts(self.name, labels)
    }

    fn counter(&self, recorder: &dyn Recorder, values: &[&'static str]) -> Counter {
        recorder.register_counter(&self.key(values), &METADATA)
    }

    fn gauge(&self, recorder: &dyn Recorder, values: &[&'static str]) -> Gauge {
        recorder.register_gauge(&self.key(values), &METADATA)
    }

    fn histogram(&self, recorder: &dyn Recorder, values: &[&'static str]) -> Histogram {
        recorder.register_histogram(&self.key(values), &METADATA)
    }

    fn describe(&self, recorder: &dyn Recorder) {
        let (name, help) = (self.name.into(), SharedString::const_str(self.help));
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram(_) | Kind::Summary => recorder.describe_histogram(name, None, help),
        }
    }

    /// Registers a counter at zero for every known combination of label values.
    fn begin(&self, recorder: &dyn Recorder) {
        let mut combinations = vec![Vec::new()];
        for (_, known) in self.labels {
            combinations = combinations
                .iter()
                .flat_map(|values: &Vec<_>| known.iter().map(|value| [values.as_slice(), &[*value]].concat()))
                .collect();
        }
        for values in combinations {
            match self.kind {
                Kind::Counter => self.counter(recorder, &values).increment(0),
                Kind::Histogram(_) => drop(self.histogram(recorder, &values)),
                Kind::Gauge | Kind::Summary => {}
            }
        }
    }
}

static BUILD: Metric = Metric::new(
    "calwire_build_info",
    Kind::Gauge,
    &[("service", &[]), ("version", &[])],
    "1, with the service and its version",
);
static WORKER_FAILURES: Metric = Metric::new(
    "calwire_worker_failures_total",
    Kind::Counter,
    &[("worker", &[])],
    "Passes of a background loop that failed and are retried",
);
/// The metrics of every process.
pub static PROCESS: [Metric; 2] = [BUILD, WORKER_FAILURES];

/// Registers the failures of a loop, at zero.
pub(crate) fn worker(name: &'static str) {
    WORKER_FAILURES.add(&[name], 0);
}

pub(crate) fn worker_failed(name: &'static str) {
    WORKER_FAILURES.count(&[name]);
}

/// Checks that metrics follow the conventions of Prometheus. For a test in each crate.
pub fn check(metrics: &[Metric]) -> Result<(), String> {
    let units = ["_seconds", "_bytes", "_ratio", "_timestamp_seconds"];
    for metric in metrics {
        let Metric { name, kind, .. } = metric;
        if !name.starts_with("calwire_") {
            return Err(format!("{name} does not begin with calwire_"));
        }
        let fits = match kind {
            Kind::Counter => name.ends_with("_total"),
            Kind::Gauge => !name.ends_with("_total"),
            Kind::Histogram(_) | Kind::Summary => units.iter().any(|unit| name.ends_with(unit)),
        };
        if !fits {
            return Err(format!("{name} does not end like a {kind:?}"));
        }
        if metric.help.is_empty() || metric.help.ends_with('.') {
            return Err(format!(
                "the help of {name} has to be a phrase without a full stop"
            ));
        }
    }
    Ok(())
}
