//! The server of `/metrics`.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::{BUILD, Kind, Metric, PROCESS};

const QUANTILES: [f64; 2] = [0.5, 0.99];
/// A summary covers three steps of this length.
const QUANTILES_STEP: Duration = Duration::from_mins(20);
/// How often recorded values are moved to their buckets, also without scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The current value of a gauge.
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

/// The server of `/metrics`: bound, not yet serving.
pub struct Exporter {
    service: &'static str,
    listener: TcpListener,
    handle: PrometheusHandle,
    collectors: Vec<Collector>,
}

impl Exporter {
    /// Binds `addr`, and from here on records the metrics of `tables`.
    pub fn bind(addr: SocketAddr, service: &'static str, tables: &[&[Metric]]) -> std::io::Result<Self> {
        let listener = crate::http::bind("METRICS_ADDR", addr)?;
        Ok(Self {
            service,
            listener,
            handle: recorder(&[tables, &[&PROCESS]].concat())?,
            collectors: Vec::new(),
        })
    }

    /// Adds samples to each scrape. A collector has to limit its own time.
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
        tracing::info!(port = self.port(), "Serving /metrics");
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

/// Renders samples by a separate registry, so that a missing sample is not repeated from the last scrape.
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

/// The process's recorder. Tests run several services in one process: the first service's tables configure the recorder, and
/// those of later ones are added.
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

#[cfg(test)]
mod tests {
    use super::*;

    static SEEN: Metric = Metric::new(
        "calwire_seen_total",
        Kind::Counter,
        &[("result", &["good", "bad"])],
        "Seen things",
    );
    static AGE: Metric = Metric::new("calwire_age_seconds", Kind::Gauge, &[], "How old it is");
    static TOOK: Metric = Metric::new(
        "calwire_took_seconds",
        Kind::Histogram(&[0.5]),
        &[],
        "How long it took",
    );

    #[actix_web::test]
    async fn a_scrape_has_counters_and_current_samples() {
        let table = [SEEN, TOOK];
        crate::telemetry::metrics::check(&table).expect("conventions");
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
