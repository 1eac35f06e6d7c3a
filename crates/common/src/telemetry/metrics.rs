//! Metrics in Prometheus' format, on an address of their own that the world does not reach.
//!
//! A crate declares what it measures as [`Metric`]s in a table, and measures through them; without an [`Exporter`] that
//! goes nowhere. Label values are `&'static str`, so no id of a user or a calendar can become one.
//!
//! Two sources meet at a scrape: what this process has counted, and [`Sample`]s that a collector takes at that moment,
//! such as the state of the database. A sample that cannot be taken is not there, instead of an old one.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// From a millisecond to a minute.
pub const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
const QUANTILES: [f64; 2] = [0.5, 0.99];
/// How long a summary remembers, in three steps of so long.
const QUANTILES_STEP: Duration = Duration::from_mins(20);
/// What was recorded is put into its buckets so often, should nobody scrape.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With these upper bounds.
    Histogram(&'static [f64]),
    /// Median and 99th percentile of the last hour, for what happens rarely.
    Summary,
}

/// A label, and its values as far as they are known beforehand: with all labels known, a counter is there from the
/// start, at zero, and its first event is seen as a rise.
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

    /// One more, of these label values in the order of `labels`.
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

    /// Makes a counter be there at zero, for every combination of label values that is known beforehand.
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

/// What a gauge is at this moment.
#[derive(Debug, Clone)]
pub struct Sample {
    metric: &'static Metric,
    values: Vec<&'static str>,
    value: f64,
}

impl Sample {
    pub fn new(metric: &'static Metric, values: &[&'static str], value: f64) -> Self {
        Self {
            metric,
            values: values.to_vec(),
            value,
        }
    }
}

type Samples = Pin<Box<dyn Future<Output = Vec<Sample>> + Send>>;
type Collector = Arc<dyn Fn() -> Samples + Send + Sync>;

static BUILD: Metric = Metric::new(
    "calwire_build_info",
    Kind::Gauge,
    &[("service", &[]), ("version", &[])],
    "1, with what runs here",
);
static WORKER_FAILURES: Metric = Metric::new(
    "calwire_worker_failures_total",
    Kind::Counter,
    &[("worker", &[])],
    "Passes of a background loop that failed and are tried again",
);
/// What every process has.
pub static PROCESS: [Metric; 2] = [BUILD, WORKER_FAILURES];

/// For a loop that begins: its failures are there, at zero.
pub(crate) fn worker(name: &'static str) {
    WORKER_FAILURES.add(&[name], 0);
}

pub(crate) fn worker_failed(name: &'static str) {
    WORKER_FAILURES.count(&[name]);
}

/// The server of `/metrics`, bound and not yet serving.
pub struct Exporter {
    service: &'static str,
    listener: TcpListener,
    handle: PrometheusHandle,
    collectors: Vec<Collector>,
}

impl Exporter {
    /// Binds `addr`, and from here on counts what the tables name.
    pub fn bind(addr: SocketAddr, service: &'static str, tables: &[&[Metric]]) -> std::io::Result<Self> {
        let listener = crate::http::bind(addr)?;
        Ok(Self {
            service,
            listener,
            handle: recorder(&[tables, &[&PROCESS]].concat())?,
            collectors: Vec::new(),
        })
    }

    /// Takes these samples at each scrape, too. A collector bounds its own time.
    #[must_use]
    pub fn collect<F>(mut self, collector: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<Sample>> + Send + 'static,
    {
        self.collectors.push(Arc::new(move || Box::pin(collector())));
        self
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |addr| addr.port())
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) -> std::io::Result<()> {
        tracing::info!(port = self.port(), "Metrics are at /metrics");
        let scrape = web::Data::new(Scrape {
            handle: self.handle.clone(),
            collectors: self.collectors,
            service: self.service,
        });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(scrape.clone())
                .route("/metrics", web::get().to(answer))
        })
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(self.listener)?
        .run();
        let handle = server.handle();
        tokio::pin!(server);
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        loop {
            tokio::select! {
                served = &mut server => return served,
                () = stop.cancelled() => break,
                _ = upkeep.tick() => self.handle.run_upkeep(),
            }
        }
        let (served, ()) = tokio::join!(server, handle.stop(true));
        served
    }
}

struct Scrape {
    service: &'static str,
    handle: PrometheusHandle,
    collectors: Vec<Collector>,
}

async fn answer(scrape: web::Data<Scrape>) -> HttpResponse {
    let mut samples = join_all(scrape.collectors.iter().map(|collect| collect()))
        .await
        .concat();
    samples.push(Sample::new(
        &BUILD,
        &[scrape.service, env!("CARGO_PKG_VERSION")],
        1.0,
    ));
    let mut text = scrape.handle.render();
    text.push_str(&render(&samples));
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}

/// Of a registry that lives as long as one answer, so that what is not sampled is not told.
fn render(samples: &[Sample]) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let mut described = BTreeSet::new();
    for sample in samples {
        if described.insert(sample.metric.name) {
            sample.metric.describe(&recorder);
        }
        sample.metric.gauge(&recorder, &sample.values).set(sample.value);
    }
    recorder.handle().render()
}

/// The process's recorder. A test has several services in one process; the first one's tables say how it counts, and a
/// later one's are added.
fn recorder(tables: &[&[Metric]]) -> std::io::Result<PrometheusHandle> {
    static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let handle = RECORDER.get_or_init(|| install(tables).map_err(|error| error.to_string()));
    let handle = handle.clone().map_err(std::io::Error::other)?;
    metrics::with_recorder(|recorder| {
        for metric in tables.iter().copied().flatten() {
            metric.describe(recorder);
            metric.begin(recorder);
        }
    });
    Ok(handle)
}

fn install(tables: &[&[Metric]]) -> Result<PrometheusHandle, Box<dyn std::error::Error>> {
    let mut builder = PrometheusBuilder::new()
        .set_quantiles(&QUANTILES)?
        .set_bucket_duration(QUANTILES_STEP)?;
    for metric in tables.iter().copied().flatten() {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Ok(handle)
}

/// Whether the tables follow the conventions of Prometheus, as far as a program can tell. For a test of each crate.
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
            return Err(format!("{name} does not end as a {kind:?} does"));
        }
        if metric.help.is_empty() || metric.help.ends_with('.') {
            return Err(format!("the help of {name} is a phrase without a full stop"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static SEEN: Metric = Metric::new(
        "calwire_seen_total",
        Kind::Counter,
        &[("result", &["good", "bad"])],
        "What was seen",
    );
    static AGE: Metric = Metric::new("calwire_age_seconds", Kind::Gauge, &[], "How old it is");
    static TOOK: Metric = Metric::new(
        "calwire_took_seconds",
        Kind::Histogram(&[0.5]),
        &[],
        "How long it took",
    );

    #[actix_web::test]
    async fn a_scrape_has_what_was_counted_and_what_is_sampled_now() {
        let table = [SEEN, TOOK];
        check(&table).expect("conventions");
        let addr = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        let exporter = Exporter::bind(addr, "test", &[&table])
            .expect("binds")
            .collect(|| async { vec![Sample::new(&AGE, &[], 7.5)] });
        SEEN.count(&["good"]);
        TOOK.took(&[], Duration::from_millis(100));
        let scrape = web::Data::new(Scrape {
            service: exporter.service,
            handle: exporter.handle,
            collectors: exporter.collectors,
        });
        let answer = answer(scrape).await;
        let body = actix_web::body::to_bytes(answer.into_body())
            .await
            .expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        for line in [
            "# TYPE calwire_seen_total counter",
            "calwire_seen_total{result=\"good\"} 1",
            "calwire_seen_total{result=\"bad\"} 0",
            "calwire_took_seconds_bucket{le=\"0.5\"} 1",
            "# HELP calwire_age_seconds How old it is",
            "calwire_age_seconds 7.5",
            "calwire_build_info{service=\"test\",version=\"0.1.0\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(!render(&[]).contains("calwire_age_seconds"));
    }
}
